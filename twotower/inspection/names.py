"""Names that only a person can be asked about, or that say what is left out.

As in twotower/ingest/usual_names.py: five languages, without accents.
"""

import re
from collections.abc import Iterator

from twotower.ingest.recognised_names import normalise
from twotower.ingest.usual_names import column_tiers, table_tiers, words

UNSURE_COLUMNS = {
    "user": words("email customer_email billing_email billing_e_mail correo mail e_mail"),
    "item": words(
        "product_name item_name product_title nombre_producto nombre_articulo nom_produit "
        "nome_produto produktname artikelname track_name song_name title titulo titel titre"
    ),
    "timestamp": words(
        "data created created_on date_created paid_at completed_at updated_at fecha_registro"
    ),
    "event": words("type tipo typ"),
    "weight": words("nota note"),
}
"""Roles that these have in some files; the pipeline does not take them by itself."""
UNSURE_IDS = words(
    "code codigo cod ref reference referencia referenz numero number nummer nr key clave"
)
"""Names of the column of ids in a table that has no better one."""
AMOUNTS = words(
    "quantity qty amount units count total price value lineitem_quantity lineitem_price "
    "cantidad unidades importe monto precio total_venta quantidade valor montante preco "
    "quantite montant prix menge anzahl betrag preis stuck plays listening_count"
)
"""Could be a weight, if somebody says so."""
TRAINING = frozenset(words("train training base"))
"""Words in the name of the first file of a given split."""
SPLITS = words("split fold subset partition particion conjunto")
TAKEN_BACK = frozenset(
    words(
        "remove removed return returned refund refunded cancel cancelled canceled dislike unlike "
        "quitar quitado eliminar eliminado devolucion devuelto cancelado cancelar remover removido "
        "devolucao retirer retire retour remboursement annule annulation entfernt entfernen "
        "ruckgabe storno storniert retoure"
    )
)
"""Words in types of events that say that somebody did not want an item."""
TITLES = words(
    "title name product_name item_name product_title movie_title book_title track_name "
    "song_name nombre nombre_producto nombre_articulo titulo nome nome_produto titre nom "
    "nom_produit titel bezeichnung produktname artikelname denominacion designation handle"
)
"""What an item is called: shown to people, no feature."""
PERSONAL = frozenset(
    words(
        "name names email mail correo phone telephone mobile telefono movil celular telefone tel "
        "telemovel handy telefon surname lastname firstname nombre nombres apellido apellidos "
        "nome sobrenome apelido prenom nom vorname nachname address direccion endereco morada "
        "adresse street calle rua rue strasse birth birthdate birthday dob nacimiento nascimento "
        "naissance geburtsdatum password contrasena passwort ip dni nif nie cif cpf cnpj ssn "
        "passport pasaporte iban card tarjeta username login nickname "
        "latitude longitude lat lon lng fullname"
    )
)
"""Words in the name of a column about a person: never a feature of users."""
IDS = frozenset(words("id ids uuid guid key code codigo url link image imagen img href slug"))
"""Words in the name of a column that only tells rows apart."""

LABELS = IDS | frozenset(words("zip zipcode postal postcode postleitzahl plz cp cep"))
"""Words in the name of a column whose numbers count nothing."""


def role_tiers(role: str) -> Iterator[tuple[str, ...]]:
    """Names of a column of the interactions, the surest first.

    Args:
        role: "user", "item", "timestamp", "event" or "weight".
    """
    yield from column_tiers(role)
    yield UNSURE_COLUMNS[role]


def id_tiers(role: str) -> Iterator[tuple[str, ...]]:
    """Names of the column of ids in a table, the surest first.

    Args:
        role: "user" or "item".
    """
    yield from table_tiers(role)
    yield UNSURE_IDS


def has_word(name: str, vocabulary: frozenset[str]) -> bool:
    """Whether a word of the name of a column or file is in the vocabulary."""
    return not vocabulary.isdisjoint(re.split("[_.]", normalise(name)))
