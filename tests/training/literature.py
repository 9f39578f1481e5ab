"""A small literature in the files' real form, and an evaluation of it."""

import json
from pathlib import Path

from typer.testing import CliRunner

from training.cli.evaluate import app

_SUBJECTS = [
    "国有企业",
    "民营经济",
    "海洋生态",
    "水稻种植",
    "量子计算",
    "城市交通",
    "文学翻译",
    "岩石力学",
]
_ASPECTS = ["改革路径", "创新绩效", "保护机制"]


def write_literature(folder: Path) -> None:
    """24 papers, 6 further titles, 4 further abstracts; no general or web pairs."""
    papers = [
        {
            "id": f"paper-{number:02d}",
            "title": f"{subject}的{aspect}研究",
            "abstract": f"本文讨论{subject}之{aspect}.结果表明其影响显著.",
            "keywords": [subject, aspect],
            "discipline": "综合",
        }
        for number, (subject, aspect) in enumerate(
            (subject, aspect) for subject in _SUBJECTS for aspect in _ASPECTS
        )
    ]
    titles = [
        {"id": f"title-{n}", "title": f"第{n}届会议综述", "category": "其他"} for n in range(6)
    ]
    abstracts = [{"id": f"abstract-{n}", "abstract": f"第{n}次实验的记录。"} for n in range(4)]
    for name, rows in (
        ("literature_papers.jsonl", papers),
        ("literature_titles.jsonl", titles),
        ("literature_abstracts.jsonl", abstracts),
    ):
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / name).write_text(text, "utf-8")


def evaluate(command: str, models: Path, folder: Path, **files: Path) -> str:
    """What `xunwen eval COMMAND` prints for it, written into `folder`; `files` are options."""
    write_literature(folder)
    options = {"data-dir": folder, "encoder": models / "encoder", "ranker": models / "ranker"}
    options |= {name.replace("_", "-"): path for name, path in files.items()}
    arguments = [word for name, path in options.items() for word in (f"--{name}", str(path))]
    result = CliRunner().invoke(app, [command, *arguments])
    assert result.exit_code == 0, result.output
    return result.output
