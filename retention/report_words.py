"""The words of the printed report, in English and Chinese."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from retention.civil_days import Part, What
from segments.clock import US_PER_S
from segments.model import Cause


class Language(StrEnum):
    """What a report is printed in."""

    ENGLISH = "en"
    CHINESE = "zh"


WORDS: Mapping[Language, Mapping[str, str]] = {
    Language.ENGLISH: {
        "title": "Video retention report",
        "site": "Site",
        "scope": "Area",
        "all": "all cameras",
        "period": "Period",
        "through": "{first} to {last} ({days} days)",
        "made": "Made at",
        "by": "Made by",
        "policy": "Retention policy",
        "version": "version {number}",
        "duration": "Storage-duration compliance",
        "integrity": "Recording integrity",
        "online": "Cameras online",
        "duration-of": "{part} of {whole} cameras",
        "time-of": "{part} of {whole}",
        "unobserved": "not observed: {time}",
        "plots": "At a glance",
        "bars": "Rates by area",
        "histogram": "How many days of footage cameras lack",
        "strip": "Recording integrity by day",
        "lowest": "The {some} of {all} areas with the lowest integrity; the table below has all.",
        "none": "none",
        "lacking": "days lacking",
        "total": "Total",
        "areas": "By area",
        "classes": "By class",
        "owners": "By owner",
        "area": "Area",
        "class": "Class",
        "owner": "Owner",
        "cameras": "Cameras",
        "reached": "Deep enough",
        "rate": "Rate",
        "lost": "Lost",
        "offline": "Offline",
        "unseen": "Not observed",
        "short": "Cameras whose footage is not deep enough",
        "gaps": "Cameras with lost recording",
        "camera": "Camera",
        "name": "Name",
        "required": "Required",
        "depth": "Depth",
        "missing": "Lacking",
        "because": "Because of",
        "nobody": "None.",
        "more": "{count} more are left out here; the CSV and JSON forms have all.",
        "left-out": "Left out, and counted here",
        "left-duration": "of storage duration: {counts}",
        "left-period": "of integrity and online, as nothing was to be recorded: {counts}",
        "left-archive": "of all rates, taken out of the camera archive: {count}",
        "definitions": "Definitions",
        "days": "{count} d",
        "hours": "{count} h",
        "minutes": "{count} min",
    },
    Language.CHINESE: {
        "title": "视频图像信息存储情况报告",
        "site": "站点",
        "scope": "区域",
        "all": "全部摄像机",
        "period": "统计周期",
        "through": "{first} 至 {last} (共 {days} 天)",
        "made": "生成时间",
        "by": "生成人",
        "policy": "存储策略",
        "version": "第 {number} 版",
        "duration": "存储时长达标率",
        "integrity": "录像完整率",
        "online": "摄像机在线率",
        "duration-of": "{whole} 台中 {part} 台达标",
        "time-of": "{part} / {whole}",
        "unobserved": "未观测时长: {time}",
        "plots": "概览",
        "bars": "各区域指标",
        "histogram": "存储时长缺少天数分布",
        "strip": "每日录像完整率",
        "lowest": "仅列出完整率最低的 {some} 个区域 (共 {all} 个), 全部区域见下表。",
        "none": "无",
        "lacking": "缺少天数",
        "total": "合计",
        "areas": "按区域统计",
        "classes": "按类别统计",
        "owners": "按权属单位统计",
        "area": "区域",
        "class": "类别",
        "owner": "单位",
        "cameras": "摄像机数",
        "reached": "达标数",
        "rate": "比率",
        "lost": "丢失时长",
        "offline": "离线时长",
        "unseen": "未观测时长",
        "short": "存储时长不达标的摄像机",
        "gaps": "录像有丢失的摄像机",
        "camera": "编号",
        "name": "名称",
        "required": "应存天数",
        "depth": "实存天数",
        "missing": "缺少天数",
        "because": "原因",
        "nobody": "无。",
        "more": "另有 {count} 项未在此列出, 详见 CSV 或 JSON 格式。",
        "left-out": "未计入的摄像机",
        "left-duration": "未计入存储时长达标率: {counts}",
        "left-period": "周期内无录像任务, 未计入完整率和在线率: {counts}",
        "left-archive": "已从摄像机档案中移除, 未计入任何指标: {count}",
        "definitions": "指标定义",
        "days": "{count} 天",
        "hours": "{count} 小时",
        "minutes": "{count} 分钟",
    },
}

DEFINITIONS: Mapping[Language, tuple[str, ...]] = {
    Language.ENGLISH: (
        "Depth: whole days, counted back from the day of this report, from the first day that must be there on which there is footage, "
        "behind all that was deleted early. Required: the days that the tiers of the policy ask for, but none before the camera was added, "
        "none at the far end on which it was switched off, and none that an earlier rule let go. Footage that a hold keeps beyond that is "
        "not counted.",
        "Storage-duration compliance: cameras whose depth reaches what is required / cameras of which any is required. It is as of the "
        "moment this report was made.",
        "Recording integrity: complete time / (complete time + lost time), over the period. Complete is time with footage, and time whose "
        "footage was deleted when it was due. Time when a camera was switched off or not yet added counts for neither.",
        "Cameras online: online time / (online time + offline time), over the period. Offline is when a camera could not be reached, "
        "refused the login, offered nothing that can be recorded, or sent no media. Time in which it was not observed counts for neither.",
        "Days are civil days of {zone}. Rates are rounded down. Footage that was not in the index yet when this report was made is not in "
        "it. What another site was to record counts as lost where it has not been copied to this one, and as not observed; that site's "
        "report says what it has.",
    ),
    Language.CHINESE: (
        "实存天数: 自报告当日零时向前计算的整天数, 起点为应存范围内提前删除的录像之后首个有录像的日期。应存天数: 策略所定存储期限的天数, "
        "不含摄像机建档以前的日期、应存范围最早端全天停用的日期, 以及按原有规则已到期删除的日期。因证据保全而超期留存的录像不计入。",
        "存储时长达标率 = 实存天数达到应存天数的摄像机数 / 有应存要求的摄像机数, 以报告生成时刻为准。",
        "录像完整率 = 完整时长 / (完整时长 + 丢失时长), 按统计周期计算。完整时长包括现有录像的时长和到期后依规删除的录像的时长; "
        "停用期间及建档以前的时间不计入。",
        "摄像机在线率 = 在线时长 / (在线时长 + 离线时长), 按统计周期计算。无法连接、拒绝登录、无可录制的媒体或不发送媒体为离线; "
        "未观测的时间不计入。",
        "日期按 {zone} 时区的自然日计算。比率向下取整。生成报告时尚未入库的录像不计入。"
        "由其他站点录像而尚未复制到本站点的时间计为丢失和未观测, 其实际存储情况见该站点的报告。",
    ),
}
"""What stands behind the numbers; `{zone}` is the civil time."""

REASONS: Mapping[Language, Mapping[What, str]] = {
    Language.ENGLISH: {
        Part.FOOTAGE: "footage",
        Part.DELETED_WHEN_DUE: "deleted when due",
        Part.DELETED_EARLY: "deleted early",
        Cause.NOT_COMMISSIONED: "not yet added",
        Cause.FUTURE: "not over yet",
        Cause.ELSEWHERE: "recorded by another site",
        Cause.DISABLED: "switched off",
        Cause.RECORDER_AWAY: "recorder away",
        Cause.SPOOL_FULL: "spool full",
        Cause.LOGIN_REFUSED: "login refused",
        Cause.UNSUPPORTED: "unsupported media",
        Cause.CAMERA_AWAY: "camera away",
        Cause.MEDIA_STOPPED: "media stopped",
        Cause.NO_KEY_FRAME: "no key frame",
        Cause.RECONNECTING: "reconnecting",
        Cause.UNKNOWN: "unknown",
    },
    Language.CHINESE: {
        Part.FOOTAGE: "有录像",
        Part.DELETED_WHEN_DUE: "到期删除",
        Part.DELETED_EARLY: "提前删除",
        Cause.NOT_COMMISSIONED: "尚未建档",
        Cause.FUTURE: "尚未结束",
        Cause.ELSEWHERE: "由其他站点录像",
        Cause.DISABLED: "已停用",
        Cause.RECORDER_AWAY: "录像服务中断",
        Cause.SPOOL_FULL: "本地缓存已满",
        Cause.LOGIN_REFUSED: "拒绝登录",
        Cause.UNSUPPORTED: "媒体不支持",
        Cause.CAMERA_AWAY: "摄像机离线",
        Cause.MEDIA_STOPPED: "媒体中断",
        Cause.NO_KEY_FRAME: "无关键帧",
        Cause.RECONNECTING: "正在重连",
        Cause.UNKNOWN: "原因不明",
    },
}

_REASONS_NAMED = 3


@dataclass(frozen=True, slots=True)
class Texts:
    """What is said in one language."""

    language: Language

    def word(self, name: str, **values: object) -> str:
        """A word or a sentence of `WORDS`, with these values in it."""
        return WORDS[self.language][name].format(**values)

    def time(self, us: int) -> str:
        """A length of time, in the unit that fits it, to a tenth."""
        minutes = us / US_PER_S / 60
        if not us:
            return "0"
        if minutes >= 48 * 60:
            return self.word("days", count=f"{minutes / 1440:,.1f}")
        return self.word("hours", count=f"{minutes / 60:.1f}") if minutes >= 60 else self.word("minutes", count=f"{minutes:.1f}")

    def counted(self, counts: Mapping[Cause, int]) -> str:
        """How many for each cause; 0 if there is none."""
        reasons = REASONS[self.language]
        return ", ".join(f"{reasons[cause]} {count:,}" for cause, count in sorted(counts.items())) or "0"

    def because(self, lengths: Mapping[What, int]) -> str:
        """The longest causes of an absence, each with its length."""
        longest = sorted(lengths.items(), key=lambda found: (-found[1], found[0]))[:_REASONS_NAMED]
        return ", ".join(f"{REASONS[self.language][what]} {self.time(us)}" for what, us in longest)
