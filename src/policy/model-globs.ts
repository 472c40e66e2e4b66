const STAR = 0x2a
const QUESTION_MARK = 0x3f

/**
 * Whether a profile may serve `model`: no globs (or none at all in the list) allow every model. In a glob
 * `*` stands for any characters, none included, and `?` for exactly one; everything else is literal. Case
 * does not matter.
 */
export function modelAllowed(globs: readonly string[] | undefined, model: string): boolean {
  if (globs === undefined || globs.length === 0) return true
  const name = model.toLowerCase()
  return globs.some((glob) => matches(glob.toLowerCase(), name))
}

// Greedy with one point of return, the last star: never more than glob length times name length steps,
// where a regular expression may take exponentially many.
function matches(glob: string, name: string): boolean {
  let at = 0
  let position = 0
  let star = -1
  let resume = 0
  while (position < name.length) {
    const wanted = glob.charCodeAt(at)
    if (wanted === STAR) {
      star = at
      resume = position
      at += 1
    } else if (wanted === QUESTION_MARK) {
      at += 1
      position += characterLength(name, position)
    } else if (wanted === name.charCodeAt(position)) {
      at += 1
      position += 1
    } else if (star >= 0) {
      at = star + 1
      resume += 1
      position = resume
    } else {
      return false
    }
  }
  while (glob.charCodeAt(at) === STAR) at += 1
  return at === glob.length
}

function characterLength(text: string, position: number): number {
  return (text.codePointAt(position) ?? 0) > 0xffff ? 2 : 1
}
