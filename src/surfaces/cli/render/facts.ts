import { printable } from '../../../domain/printable.js'
import type { Style } from '../style.js'
import { pad } from '../width.js'

/** A name and what is known under it; facts without a value are left out. */
export type Fact = readonly [name: string, value: string | undefined]

const NAME_WIDTH = 12

/** Facts one below the other, indented. Values are made printable. */
export function renderFacts(facts: readonly Fact[], style: Style): string {
  return facts
    .filter((fact): fact is readonly [string, string] => fact[1] !== undefined && fact[1] !== '')
    .map(([name, value]) => `  ${style.dim(pad(name, NAME_WIDTH))}  ${printable(value)}`)
    .join('\n')
}
