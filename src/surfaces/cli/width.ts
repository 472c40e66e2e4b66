// Ranges of East Asian Width W and F (Unicode 16, UAX #11) outside the emoji, coarsened to whole blocks:
// unassigned code points in them are treated as wide by terminals too.
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe10-\ufe19\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{16fe0}-\u{18dff}\u{1aff0}-\u{1b2ff}\u{20000}-\u{3fffd}]/u
const EMOJI = /\p{Emoji_Presentation}|\p{Emoji}\ufe0f|\p{Regional_Indicator}/u
// Marks, format characters, variation selectors, and Hangul vowels and finals that join the syllable before.
const NO_WIDTH = /[\p{Mn}\p{Me}\p{Cf}\u1160-\u11ff\ud7b0-\ud7ff]/u
const SIMPLE = /^[\x20-\x7e]*$/

let segmenter: Intl.Segmenter | undefined

/** Cells that text takes on a terminal. It must be printable: no control characters, no styling. */
export function displayWidth(text: string): number {
  if (SIMPLE.test(text)) return text.length
  let width = 0
  for (const cluster of clusters(text)) width += clusterWidth(cluster)
  return width
}

/** Text cut to at most `width` cells, an ellipsis in place of what was cut. Never cuts inside a character. */
export function truncate(text: string, width: number): string {
  if (displayWidth(text) <= width) return text
  if (width < 1) return ''
  let cut = ''
  let used = 0
  for (const cluster of clusters(text)) {
    const more = clusterWidth(cluster)
    if (used + more > width - 1) break
    cut += cluster
    used += more
  }
  return `${cut.trimEnd()}…`
}

/** Text filled up with spaces to `width` cells. */
export function pad(text: string, width: number, align: 'left' | 'right' = 'left'): string {
  const fill = ' '.repeat(Math.max(0, width - displayWidth(text)))
  return align === 'left' ? text + fill : fill + text
}

function* clusters(text: string): Generator<string> {
  segmenter ??= new Intl.Segmenter(undefined, { granularity: 'grapheme' })
  for (const { segment } of segmenter.segment(text)) yield segment
}

function clusterWidth(cluster: string): number {
  if (EMOJI.test(cluster)) return 2
  let width = 0
  for (const character of cluster) {
    if (NO_WIDTH.test(character)) continue
    width += WIDE.test(character) ? 2 : 1
  }
  return width
}
