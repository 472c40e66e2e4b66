/** What the page in the browser tells at the end of a login. */
export interface PageText {
  readonly good: boolean
  readonly title: string
  readonly lines: readonly string[]
  /** The facts that matter, each under its name. */
  readonly rows?: readonly PageRow[]
}

/** A fact on the page. */
export interface PageRow {
  readonly label: string
  readonly value: string
  /** It is to be typed as it stands. */
  readonly code?: boolean
}

const STYLE = `
:root { color-scheme: light dark; --ink: #1a1d21; --soft: #5b626b; --paper: #ffffff; --ground: #f2f3f5; --line: #dfe2e6; --mark: #15803d; }
@media (prefers-color-scheme: dark) { :root { --ink: #eceef1; --soft: #a0a7b1; --paper: #1c1f23; --ground: #121417; --line: #2d3239; --mark: #4ade80; } }
.bad { --mark: #c2410c; }
@media (prefers-color-scheme: dark) { .bad { --mark: #fb923c; } }
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1.5rem; background: var(--ground); color: var(--ink); font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { width: min(30rem, 100%); background: var(--paper); border: 1px solid var(--line); border-radius: 14px; padding: 2.25rem 2rem; }
.mark { width: 2.75rem; height: 2.75rem; border-radius: 50%; display: grid; place-items: center; border: 2px solid var(--mark); color: var(--mark); font-size: 1.35rem; line-height: 1; }
h1 { margin: 1.1rem 0 .4rem; font-size: 1.35rem; line-height: 1.3; letter-spacing: -.01em; overflow-wrap: anywhere; }
dl { margin: 1.1rem 0 1.2rem; padding: .9rem 0; border: solid var(--line); border-width: 1px 0; display: grid; grid-template-columns: max-content 1fr; gap: .45rem 1.25rem; align-items: baseline; }
dt { color: var(--soft); font-size: .9rem; }
dd { margin: 0; overflow-wrap: anywhere; }
code { font: .95em/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; }
@media (max-width: 26rem) { main { padding: 1.75rem 1.4rem; } dl { grid-template-columns: 1fr; gap: 0; } dd + dt { margin-top: .7rem; } }
p { margin: .4rem 0 0; color: var(--soft); overflow-wrap: anywhere; }
.bad h1 + p { color: var(--ink); }
footer { margin-top: 1.75rem; padding-top: 1rem; border-top: 1px solid var(--line); color: var(--soft); font-size: .85rem; }
`

/** The headers of every page: nothing runs, nothing is loaded, nothing is kept or sent on. */
export const PAGE_HEADERS: Readonly<Record<string, string>> = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy':
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'cache-control': 'no-store',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  connection: 'close',
}

/** A page without script, whatever the texts hold. */
export function renderPage({ good, title, lines, rows = [] }: PageText): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)} · keymux</title>
<style>${STYLE}</style>
</head>
<body>
<main class="${good ? 'good' : 'bad'}">
<div class="mark" aria-hidden="true">${good ? '&#10003;' : '!'}</div>
<h1>${escapeHtml(title)}</h1>
${rows.length === 0 ? '' : `<dl>${rows.map(renderRow).join('')}</dl>`}
${lines.map((line) => `<p>${escapeHtml(line)}</p>`).join('\n')}
<footer>keymux</footer>
</main>
</body>
</html>
`
}

function renderRow({ label, value, code }: PageRow): string {
  const text = escapeHtml(value)
  return `<dt>${escapeHtml(label)}</dt><dd>${code === true ? `<code>${text}</code>` : text}</dd>`
}

function escapeHtml(text: string): string {
  const names: Readonly<Record<string, string>> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    "'": '&#39;',
  }
  // Direction marks could make a text read as another.
  return text
    .replace(/[\p{Cc}\p{Bidi_Control}]/gu, ' ')
    .replace(/[&<>"']/g, (character) => names[character] ?? '')
}
