"""The words of the capacity report, in English and Chinese. Data."""

from __future__ import annotations

from collections.abc import Mapping

from retention.report_words import Language

EN, ZH = Language.ENGLISH, Language.CHINESE

FIGURES: Mapping[Language, Mapping[str, str]] = {
    EN: {
        "cameras": "Cameras",
        "ingest_bit_per_s": "Ingest",
        "bytes_per_day": "Footage a day",
        "kept_bytes": "Kept footage, one copy",
        "stored_bytes": "Kept footage, all copies",
        "raw_bytes": "Raw disk space",
        "disks": "Disks that hold it",
        "storage_nodes": "Storage nodes",
        "bought_disks": "Disks to buy",
        "objects": "Objects, and rows of the index",
        "all_puts_per_s": "PUT a second",
        "gets_per_s": "GET a second",
        "copied_bit_per_s": "Copied between sites",
        "played_bit_per_s": "Played back",
        "index_bytes": "Index on disk",
        "index_nodes": "Cassandra nodes",
        "recorder_cores": "Recorder cores",
        "recorder_bytes": "Recorder memory",
        "recorder_nodes": "Recorder nodes",
        "price": "Money",
    },
    ZH: {
        "cameras": "摄像机",
        "ingest_bit_per_s": "写入带宽",
        "bytes_per_day": "日增录像",
        "kept_bytes": "在存录像（单份）",
        "stored_bytes": "在存录像（含副本）",
        "raw_bytes": "裸容量",
        "disks": "所需硬盘",
        "storage_nodes": "存储节点",
        "bought_disks": "采购硬盘",
        "objects": "对象数（即索引行数）",
        "all_puts_per_s": "每秒 PUT",
        "gets_per_s": "每秒 GET",
        "copied_bit_per_s": "站点间复制带宽",
        "played_bit_per_s": "回放带宽",
        "index_bytes": "索引容量",
        "index_nodes": "Cassandra 节点",
        "recorder_cores": "录像核数",
        "recorder_bytes": "录像内存",
        "recorder_nodes": "录像节点",
        "price": "金额",
    },
}
"""What figures are called."""

WORDS: Mapping[Language, Mapping[str, str]] = {
    EN: {
        "whole": "All sites",
        "year": "Year",
        "site": "Site",
        "figure": "Figure",
        "likely": "Likely",
        "low": "Low",
        "high": "High",
        "change": "Change",
        "ranges": "A range says where the result lies in 90 of 100 worlds drawn from the uncertain inputs; the likely value is the middle "
        "one. Sizes are decimal: 1 TB is 10^12 bytes.",
        "summary": "At the end of {year}",
        "over-years": "Over the years",
        "by-site": "By site, at the end of {year}",
        "assumptions": "What is assumed",
        "sources": "What is known, and from where",
        "formulas": "How it is computed",
        "value": "Value",
        "why": "Why",
        "name": "Name",
        "formula": "Formula",
        "compared": "{left} (blue) and {right} (orange)",
        "plan": "Capacity plan",
    },
    ZH: {
        "whole": "全部站点",
        "year": "年份",
        "site": "站点",
        "figure": "指标",
        "likely": "中值",
        "low": "低值",
        "high": "高值",
        "change": "变化",
        "ranges": "区间表示按不确定输入抽取的 100 种情形中有 90 种落入其间；中值为居中者。容量均为十进制：1 TB 为 10^12 字节。",
        "summary": "{year} 年底",
        "over-years": "历年变化",
        "by-site": "各站点，{year} 年底",
        "assumptions": "假设",
        "sources": "已知数据及出处",
        "formulas": "计算公式",
        "value": "取值",
        "why": "说明",
        "name": "名称",
        "formula": "公式",
        "compared": "{left}（蓝）与 {right}（橙）",
        "plan": "存储容量规划",
    },
}
"""What else is said."""
