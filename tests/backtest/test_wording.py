from tests.backtest.contents import content, gain
from twotower.backtest.wording import label_of, sentences


def test_a_sentence_for_each_question() -> None:
    days = 7 * 86_400
    lines = list(
        sentences(
            content(
                every_seconds=days,
                gains={
                    "age_1": gain(),
                    "every_2": gain(p_value=0.3),
                    "never_retrained": gain(difference=-0.01, low=-0.02, high=-0.004),
                    "first_search": gain(is_same=True, difference=0.0, p_value=1.0),
                    "default": gain(difference=1e-6, p_value=0.9),
                },
                verdicts={"no better than random": 1, "beats every baseline": 2},
            )
        )
    )
    assert lines[:-1] == [
        "A model that is 7 days older: loses 25%, -0.0500 Recall@10 [-0.0900, -0.0100], 0.1500 "
        "against 0.2000 (p 0.02).",
        "Retraining every 14 days only: no difference is shown, -0.0500 Recall@10 [-0.0900, "
        "-0.0100], 0.1500 against 0.2000 (p 0.3).",
        "Never retraining: gains 5%, +0.0100 Recall@10 [+0.0040, +0.0200], 0.1500 against 0.2000 "
        "(p 0.02).",
        "Searching once, and retraining with what was found then: the same result, user by user, "
        "in every period.",
        "Not searching at all, with the defaults of params.yaml: no difference is shown, +0.0000 "
        "Recall@10 [-0.0900, -0.0100], 0.1500 against 0.2000 (p 0.9).",
        'The verdict, of 3 periods: "beats every baseline" in 2, "no better than random" in 1.',
    ]
    assert "adjusted for these 5 comparisons (Holm)" in lines[-1]


def test_one_fold_answers_less() -> None:
    lines = list(sentences(content(gains={}, verdicts={"beats every baseline": 1})))
    assert lines == ['The verdict, of 1 period: "beats every baseline" in 1.']


def test_names_for_people() -> None:
    labels = [label_of(name, 86_400) for name in ("age_2", "every_4", "first_search", "ease")]
    assert labels == ["2 days old", "retrained every 4 days", "searched once", "ease"]
