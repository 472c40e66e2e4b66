/**
 * Orders texts by Unicode code point, as a byte-wise comparison of UTF-8 does. (The `<` operator compares
 * UTF-16 units, which puts characters beyond U+FFFF before U+E000.) Independent of the locale.
 */
export function compareText(a: string, b: string): number {
  const shared = Math.min(a.length, b.length)
  for (let index = 0; index < shared; index += 1) {
    const left = a.charCodeAt(index)
    const right = b.charCodeAt(index)
    if (left !== right) return rank(left) - rank(right)
  }
  return a.length - b.length
}

// Surrogates stand for the highest code points, so they rank above U+E000 to U+FFFF.
function rank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit
}
