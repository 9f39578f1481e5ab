// Writes numbers, sizes and times as the reader's language does.

import { language } from "./preferences.js";

const locale = () => (language() === "zh" ? "zh-CN" : "en-GB");

export const count = (value) => new Intl.NumberFormat(locale()).format(value);

export function milliseconds(value) {
  if (value >= 1000) return `${(value / 1000).toFixed(2)} s`;
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`;
}

export function score(value) {
  if (!Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size !== 0 && size < 0.001) return value.toExponential(1);
  return value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : 3);
}

export function bytes(value) {
  const units = ["B", "KB", "MB", "GB"];
  let step = 0;
  while (value >= 1024 && step < units.length - 1) {
    value /= 1024;
    step += 1;
  }
  return `${value.toFixed(step === 0 || value >= 100 ? 0 : 1)} ${units[step]}`;
}

export function duration(seconds) {
  const unit = (value, name) =>
    new Intl.NumberFormat(locale(), { style: "unit", unit: name, unitDisplay: "short" })
      .format(value);
  if (seconds < 10) return unit(Number(seconds.toFixed(1)), "second");
  if (seconds < 90) return unit(Math.round(seconds), "second");
  if (seconds < 5400) return unit(Math.round(seconds / 60), "minute");
  return unit(Number((seconds / 3600).toFixed(1)), "hour");
}

export const moment = (value) =>
  new Intl.DateTimeFormat(locale(), { dateStyle: "medium", timeStyle: "medium" })
    .format(new Date(value));

export function ago(value) {
  const seconds = (new Date(value).getTime() - Date.now()) / 1000;
  const relative = new Intl.RelativeTimeFormat(locale(), { numeric: "auto" });
  for (const [unit, size] of [["day", 86400], ["hour", 3600], ["minute", 60]]) {
    if (Math.abs(seconds) >= size) return relative.format(Math.round(seconds / size), unit);
  }
  return relative.format(Math.round(Math.min(0, seconds)), "second");
}
