"""Writes tests/data/text/words.json: Chinese sentences, cut into words by jieba.

    pip install jieba
    python tests/reference/words.py tests/data/text/words.json

Made with jieba 0.42.1, which finds new words with its hidden Markov model.
"""
import json
import sys

import jieba

SENTENCES = [
    "我来到北京清华大学。",
    "他来到了网易杭研大厦",
    "小明硕士毕业于中国科学院计算所，后在日本京都大学深造",
    "这部电影的剧情非常精彩，演员们的表演也很到位！",
    "我不喜欢这个结局，太仓促了。",
    "导演用了三年时间才完成这部作品",
    "南京市长江大桥是中国第一座自行设计建造的双层式铁路公路两用桥。",
    "人工智能正在改变我们的生活方式和工作方式",
    "昨天晚上我和朋友一起去看了《流浪地球》，特效震撼。",
    "价格是128元，比上个月便宜了20%。",
    "他用Python 3写代码，速度提高了2.5倍",
    "請問這附近有沒有好吃的餐廳？",
    "工信处女干事每月经过下属科室都要亲口交代24口交换机等技术性器件的安装工作",
    "永和服装饰品有限公司",
    "结婚的和尚未结婚的都来了",
    "总之，值得一看……",
]


def main():
    rows = [[sentence, [word for word in jieba.cut(sentence) if word.strip()]] for sentence in SENTENCES]
    with open(sys.argv[1], "w", encoding="utf-8") as out:
        out.write("[\n" + ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n]\n")


main()
