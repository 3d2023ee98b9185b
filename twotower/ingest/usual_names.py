"""The usual names of files, columns, features and events, in five languages.

English, Spanish, Portuguese, French and German, as `normalise` leaves them: without accents. The
plain names of FILES and COLUMNS come first; wider ones count only where a file has none of those,
so that a word more here never makes a file ambiguous that was clear.
"""

from collections.abc import Iterator
from functools import cache


def words(text: str) -> tuple[str, ...]:
    """The words between spaces."""
    return tuple(text.split())


FILES = {
    "interactions": ("interactions", "interacciones"),
    "users": ("users", "usuarios"),
    "items": ("items", "products", "productos", "articulos"),
}
WIDER_FILES = {
    "interactions": words(
        "ratings reviews events clicks clickstream views purchases orders order_items line_items "
        "transactions sales logs log activity behavior behaviour plays listens checkins history "
        "watch_history valoraciones resenas eventos clics visitas compras pedidos ventas "
        "transacciones registros interacoes avaliacoes cliques vendas transacoes "
        "avis evaluations evenements achats commandes ventes interaktionen bewertungen "
        "ereignisse klicks kaufe einkaufe bestellungen verkaufe transaktionen"
    ),
    "users": words(
        "customers clients members accounts visitors shoppers buyers reviewers subscribers "
        "clientes compradores miembros socios utilizadores membros utilisateurs acheteurs "
        "membres kunden nutzer benutzer kaufer mitglieder"
    ),
    "items": words(
        "movies films books tracks songs albums courses articles games recipes videos listings "
        "skus catalog catalogue catalogo referencias peliculas libros canciones cursos juegos "
        "produtos itens artigos filmes livros musicas produits livres cours jeux artikel "
        "produkte waren filme bucher lieder kurse spiele katalog"
    ),
}
COLUMNS = {
    "user": ("user_id", "usuario_id", "id_usuario", "user", "usuario"),
    "item": ("item_id", "product_id", "producto_id", "articulo_id", "id_item", "id_producto",
             "id_articulo", "item", "product", "producto", "articulo"),
    "timestamp": ("timestamp", "datetime", "date", "time", "fecha", "fecha_hora", "hora"),
    "event": ("event", "event_type", "interaction_type", "evento", "tipo_evento",
              "tipo_interaccion"),
    "weight": ("weight", "rating", "score", "peso", "puntuacion", "valoracion"),
}  # fmt: skip
NOUNS = {
    "user": words(
        "user customer client member account visitor shopper buyer reviewer subscriber "
        "usuario cliente comprador miembro socio utilizador membro utilisateur acheteur membre "
        "kunde kunden nutzer benutzer kaufer mitglied"
    ),
    "item": words(
        "item product article movie film book track song course game recipe video listing "
        "producto articulo pelicula libro cancion curso juego produto artigo livro musica "
        "produit livre artikel produkt ware buch lied kurs spiel"
    ),
}
"""What has ids: with and without `id`, or a word that means it, these are names of columns."""
CODES = {
    "user": ("user_pseudo_id", "client_user_id", "customer_user_id", "customer_user"),
    "item": ("sku", "product_sku", "item_sku", "lineitem_sku", "asin", "isbn", "ean", "gtin",
             "stock_code"),
}  # fmt: skip
WIDER_COLUMNS = {
    "user": (),
    "item": ("referencia", "lineitem_name"),
    "timestamp": words(
        "event_timestamp event_time created_at timestamp_utc unix_timestamp ts date_time "
        "unix_review_time order_purchase_timestamp purchased_at ordered_at viewed_at rated_at "
        "played_at occurred_at order_date purchase_date transaction_date sale_date invoice_date "
        "fecha_compra fecha_venta fecha_pedido fecha_evento fecha_creacion marca_de_tiempo "
        "data_hora data_compra data_venda data_pedido date_achat date_vente date_commande "
        "horodatage datum zeitstempel zeitpunkt bestelldatum kaufdatum verkaufsdatum"
    ),
    "event": words(
        "event_name action action_type behavior_type behaviour_type activity_type "
        "interaction accion tipo_de_evento tipo_accion interaccion acao tipo_acao "
        "tipo_interacao tipo_de_interacao evenement type_evenement type_interaction "
        "ereignis ereignistyp aktion interaktion"
    ),
    "weight": words(
        "stars star_rating book_rating movie_rating product_rating user_rating overall "
        "calificacion estrellas pontuacao avaliacao estrelas "
        "evaluation etoiles bewertung sterne gewicht poids"
    ),
}
LESS_EXACT = ("event_date", "review_time", "review_date")
"""Beside a column that says the moment, these only repeat its day."""
FEATURES = (
    ("category", "categoria", "categorie", "kategorie"),
    ("price", "precio", "preco", "prix", "preis"),
    ("city", "ciudad", "cidade", "ville", "stadt"),
    ("country", "pais", "pays", "land"),
    ("age", "edad", "idade", "alter"),
    ("brand", "marca", "marque", "marke"),
)
EVENTS = (
    words(
        "view pv visto vista ver viewed page_view view_item visita visualizacion visualizado "
        "visualizacao visualizou vue vu consultation ansicht angesehen gesehen aufruf"
    ),
    words("click clic clicked select_item clique clicou cliquer klick geklickt"),
    words(
        "cart add_to_cart basket carrito agregado_al_carrito anadido_al_carrito "
        "anadir_al_carrito carrinho adicionar_ao_carrinho adicionado_ao_carrinho panier "
        "ajout_panier ajout_au_panier ajouter_au_panier warenkorb in_den_warenkorb"
    ),
    words(
        "purchase buy bought purchased order ordered transaction sale compra comprado comprar "
        "comprou pedido venta venda achat achete commande vente kauf gekauft bestellung "
        "bestellt verkauf"
    ),
)


@cache
def column_tiers(role: str) -> tuple[tuple[str, ...], ...]:
    """Names of a column, by how surely they mean the role: the first tier that is there decides.

    An id beats what may be a name: `movie_id` is the item, whatever `item` or `product` is.

    Args:
        role: a key of COLUMNS.
    """
    plain = COLUMNS[role]
    nouns = NOUNS.get(role, ())
    return (
        tuple(name for name in plain if _says_id(name)),
        tuple(name for noun in nouns for name in (f"{noun}_id", f"id_{noun}")),
        CODES.get(role, ()) + tuple(_numbers_of(nouns)),
        tuple(name for name in plain if not _says_id(name)),
        nouns + WIDER_COLUMNS[role],
        LESS_EXACT if role == "timestamp" else (),
    )


def table_tiers(role: str) -> tuple[tuple[str, ...], ...]:
    """Names of the column of ids in a table of users or items, which may be just `id`.

    Args:
        role: "user" or "item".
    """
    ids, wider_ids, codes, plain, wider, _ = column_tiers(role)
    return ids, plain, ("id",), wider_ids, codes, wider


def _says_id(name: str) -> bool:
    return "id" in name.split("_")


def _numbers_of(nouns: tuple[str, ...]) -> Iterator[str]:
    """Names such as `customer_no`, `kundennummer`, `codigo_cliente` and `reference_produit`."""
    for noun in nouns:
        for word in ("code", "codigo", "number", "numero", "nummer", "no", "nr", "key"):
            yield from (f"{noun}_{word}", f"{word}_{noun}")
        for words in ("cod", "ref", "reference", "referencia", "num", "codigo_de", "codigo_do"):
            yield f"{words}_{noun}"
