"""Writes tests/data/text/encoding.json: what ftfy makes of text that was read in the wrong encoding, and of text that was not.

    pip install ftfy
    python tests/reference/encoding.py tests/data/text/encoding.json

Made with ftfy 6.3.1.
"""
import json
import sys

import ftfy
import ftfy.bad_codecs

ftfy.bad_codecs.ok()

SENTENCES = [
    "It’s a “café” – naïve, isn’t it…",
    "Crème brûlée à la façon du chef, l’œuf et la forêt",
    "Der Fußgänger grüßt übermütig, ‚ja‘ und „nein“",
    "El niño comió piñas. ¿Qué más, señor? ¡Olé!",
    "A rápida raposa não pulou, coração",
    "Zażółć gęślą jaźń, mężny bądź",
    "Příliš žluťoučký kůň úpěl ďábelské ódy",
    "Çok güzel bir gün, İstanbul’da ışık şöyle",
    "Rødgrød med fløde på øen, Ærø",
    "Hyvää yötä, Åbo",
    "Árvíztűrő tükörfúrógép",
    "În această țară, și noi știm",
    "Быстрая коричневая лиса прыгает",
    "Швидка їжа є тут",
    "Η γρήγορη καφέ αλεπού",
    "השועל החום קופץ",
    "الثعلب البني السريع",
    "敏捷的棕色狐狸跳过了懒狗。",
    "素早い茶色の狐",
    "빠른 갈색 여우",
    "तेज़ भूरी लोमड़ी",
    "สุนัขจิ้งจอก",
    "Việt Nam đất nước tôi",
    "Price: £5, €7 or ¥900 – 20 °C, ½ cup, © 2020 ™",
    "so good 😀👍🏽 ❤️ → ✅ ★",
    "5 km and 10 × 3 ≤ 40 µm²",
]
# What is not the whole of a text in another encoding, and what only looks odd.
OTHERS = [
    "\u0093quoted\u0094 \u0096 it\u0092s",
    "The Mona Lisa doesnÃƒÂ¢Ã¢â€šÂ¬Ã¢â€žÂ¢t have eyebrows.",
    "voilÃ\u00a0 le travail",
    "ï»¿start",
    "I said â€œnoâ€\u009d to cafÃ© and café",
    "CAFÉ… VOILÀ” ESPAÑA",
    "„Spaß“ und „GRÖẞE“",
    "5 Å² and 3 Å·mol",
    "SÃO PAULO, IRMÃ… MAÇÃO",
    "été\u00a0! à\u00a0» é’”",
    "Nº 5ª, É° N°",
    "plain",
]


def main():
    rows = []
    for sentence in SENTENCES:
        data = sentence.encode("utf-8")
        once = data.decode("sloppy-windows-1252")
        twice = once.encode("utf-8").decode("sloppy-windows-1252")
        rows += [once, twice, data.decode("latin-1"), sentence, f"An honest start: {once}"]
    rows += OTHERS
    with open(sys.argv[1], "w", encoding="utf-8") as out:
        json.dump([[row, ftfy.fix_encoding(row)] for row in rows], out, ensure_ascii=False, indent=0)
        out.write("\n")


main()
