"""What every stage uses: errors, seeds, canonical files."""
