// What is said beside the chart: findings, notices, the selection, and what to do without data.

import { clock, count, number, percent, time } from "./format.js";
import { changeText, errorShare, mean, overlaps, perRootText } from "./measures.js";

function element(tag, className, ...content) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...content);
  return made;
}

const SIGNS = { slower: "▲", repeated: "×", failing: "!" };

/** Buttons for what is worth a look. */
export function showFindings(section, found, select) {
  const key = found.map(({ kind, node, text }) => `${kind}${node.path}${text}`).join("\n");
  section.hidden = found.length === 0;
  if (section.dataset.key === key) return;
  section.dataset.key = key;
  // A button that has the focus keeps it.
  const focused = section.contains(document.activeElement) ? document.activeElement.dataset.path : null;
  section.replaceChildren(
    ...found.map(({ kind, node, text }) => {
      const button = element("button", `finding ${kind}`);
      button.type = "button";
      button.dataset.path = node.path;
      const sign = element("span", "sign", SIGNS[kind]);
      sign.setAttribute("aria-hidden", "true");
      button.append(sign, element("strong", "", node.name), " ", text);
      button.addEventListener("click", () => select(node));
      return button;
    }),
  );
  if (focused !== null) [...section.children].find((one) => one.dataset.path === focused)?.focus();
}

/** The selection in words. */
export function detailText(node, at) {
  const { now } = node;
  if (node.depth === 0) return `${number(now.calls / at.seconds)} calls/s`;
  if (!now.calls) {
    return node.before.calls ? "not called any more" : "no record of its own yet: still running, or not profiled";
  }
  const parts = [
    `${number(now.calls / at.seconds)} calls/s, ${count(now.calls)} in all`,
    `mean ${time(mean(now))}`,
    `self ${time(node.self)} of ${time(now.total)}`,
  ];
  if (!at.sandwich && node.depth > 1) parts.push(`${perRootText(node)} per ${node.root.name}`);
  if (now.errors) parts.push(`${percent(errorShare(node))} fail (${count(now.errors)})`);
  if (overlaps(node)) parts.push(`‖ calls at the same time: ${time(node.inside)} in ${time(now.total)}`);
  const changed = changeText(node, at.comparing);
  if (changed && changed !== "·") parts.push(`${changed} since ${at.otherName}, mean ${time(mean(node.before))} then`);
  return parts.join(" · ");
}

/** Lines on what is wrong, or less than it could be. */
export function notices(status) {
  const lines = [];
  if (!status) return lines;
  if (status.unready) lines.push(["bad", `The collector is not ready: ${status.unready}. It goes on trying.`]);
  if (status.overflowed > 0) {
    lines.push([
      "warn",
      `A job has reached its ${count(status.max_series)} series: further paths are counted together as “(overflow)”. More with --max-series.`,
    ]);
  }
  if (status.bad > 0) {
    lines.push(["warn", `${count(status.bad)} records were not counted: phanos_collector_bad_records_total has reasons.`]);
  }
  if (status.unnumbered > 0) {
    lines.push(["note", "Some workers have phanos 0.3.2: what they send twice is counted twice."]);
  }
  return lines;
}

export function showNotices(section, lines) {
  const key = lines.map(([kind, text]) => kind + text).join("\n");
  if (section.dataset.key === key) return;
  section.dataset.key = key;
  section.replaceChildren(...lines.map(([kind, text]) => element("p", `notice ${kind}`, text)));
}

/** What to do while there is nothing to see. */
export function showEmpty(section, answer, windowName) {
  const { status } = answer;
  const some = answer.jobs.length > 0;
  const key = `${some} ${windowName} ${status.broker} ${status.records}`;
  if (section.dataset.key === key) return;
  section.dataset.key = key;
  if (some) {
    section.replaceChildren(
      element("h2", "", "No calls in this window"),
      element("p", "", `Nothing was recorded for this job in ${windowName}. Take a longer window, or wait.`),
    );
    return;
  }
  const code =
    status.broker === "none"
      ? 'import phanos\nfrom phanos.handlers import PrometheusHandler\n\nphanos.profiler.config(job="shop")\nphanos.profiler.add_handler(PrometheusHandler("prometheus"))\n\n@phanos.profile\ndef get_order(): ...'
      : 'import phanos\nfrom phanos.handlers import ImpProfHandler\n\nphanos.profiler.config(job="shop")\nphanos.profiler.add_handler(ImpProfHandler("rabbitmq", host="BROKER"))\n\n@phanos.profile\ndef get_order(): ...';
  section.replaceChildren(
    element("h2", "", "No calls yet"),
    element("p", "", "The collector runs, and nothing has come so far. In the application:"),
    element("pre", "", code),
    element("p", "quiet", `${count(status.records)} records so far. This page shows the first within a second.`),
  );
}

export function liveText(state, answer, since, rate) {
  if (state === "lost") return `lost since ${clock(since, true)}, trying again`;
  if (state === "paused") return `paused at ${clock(since, true)}`;
  if (!answer) return "connecting";
  const workers = answer.status.workers;
  const text = `live · ${workers === 1 ? "1 worker" : `${count(workers)} workers`}`;
  return rate > 0 ? `${text} · ${number(rate)} calls/s` : text;
}
