import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isCollection, isPair, parseDocument } from 'yaml'
import { YAML_NESTS } from '../../test/support/nests.js'
import { MAX_NESTING } from '../domain/nesting.js'
import { parseConfigText } from './document.js'
import { ConfigError } from './errors.js'
import { deepPlaceInYaml } from './yaml-nesting.js'

/** How deep the nodes of a document lie, by recursion. */
function depthOf(node: unknown): number {
  if (isPair(node)) return Math.max(depthOf(node.key), depthOf(node.value))
  return isCollection(node) ? 1 + Math.max(0, ...node.items.map(depthOf)) : 0
}

function problemOf(text: string): string {
  try {
    parseConfigText(text, 'c.yaml')
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError)
    return (error as ConfigError).problems[0] ?? ''
  }
  return ''
}

describe('deepPlaceInYaml', () => {
  test('lets nothing pass that has nodes more than twice as deep', () => {
    const pieces = [
      ...['[', ']', '{', '}', ',', '- ', '? ', ': ', 'a: ', 'b', '\n', '\n  ', '\n    ', '&a ', '*a', '!t '],
      ...['"', "'", '#', '|\n', '>-\n', '---\n', '...\n', '%', '\t', '[a]: ', '{a}: ', '- - ', '? - '],
    ]
    const texts = fc.array(fc.constantFrom(...pieces), { maxLength: 60 }).map((parts) => parts.join(''))
    fc.assert(
      fc.property(texts, fc.integer({ min: 1, max: 10 }), (text, limit) => {
        const document = parseDocument(text, { logLevel: 'silent' })
        if (deepPlaceInYaml(text, limit) === undefined) {
          expect(depthOf(document.contents)).toBeLessThanOrEqual(2 * (limit + 1))
        }
      }),
      { numRuns: 3_000 },
    )
  })

  test('lets pass what is not deep', () => {
    const indented = `a:\n  b:\n    - c: |\n${' '.repeat(300)}text\n    - {d: [1, 2]}\n`
    for (const text of ['', 'a: 1', indented, `a: "${'['.repeat(1_000)}"`, `# ${'['.repeat(1_000)}`]) {
      expect(deepPlaceInYaml(text)).toBeUndefined()
    }
  })

  test('names the place', () => {
    expect(deepPlaceInYaml(`a:\n  ${'['.repeat(100)}`)).toEqual({ line: 2, col: 67 })
  })
})

describe.each(YAML_NESTS)('a config of %s', (_name, nest) => {
  test.each([MAX_NESTING * 2 + 8, 1_000, 1_500, 1_700, 2_000, 10_000, 100_000])('%i', (depth) => {
    expect(problemOf(nest(depth))).toMatch(/^c\.yaml:\d+:\d+: /)
  })

  test('beneath other settings', () => {
    const text = nest(1_000).replace(/\n(?!---)/g, '\n  ')
    expect(problemOf(`gateway:\n  port: 1\nproviders:\n  ${text}`)).toMatch(/levels of nesting$/)
  })
})

describe('aliases', () => {
  test('that nest in one another count as what they repeat', () => {
    const chain = Array.from({ length: 80 }, (_, level) => `a${level + 1}: &a${level + 1} [*a${level}]`)
    expect(problemOf(`a0: &a0 [1]\n${chain.join('\n')}\n`)).toMatch(/expected at most 64 levels of nesting$/)
    const few = Array.from({ length: 8 }, (_, level) => `a${level + 1}: &a${level + 1} [*a${level}]`)
    expect(problemOf(`a0: &a0 [1]\n${few.join('\n')}\n`)).toMatch(/unknown key/)
  })

  test.each([
    ['by tens', 10, 9],
    ['by twos', 2, 40],
  ])('that repeat %s come to an end', (_name, times, levels) => {
    const more = Array.from(
      { length: levels },
      (_, level) => `a${level + 1}: &a${level + 1} [${Array(times).fill(`*a${level}`).join(',')}]`,
    )
    expect(problemOf(`a0: &a0 [x,x]\n${more.join('\n')}\n`)).toMatch(/repeats too much by aliases$/)
  })

  test('that contain themselves, or stand before their anchor, are refused', () => {
    expect(problemOf('providers: &a { p: { x: *a } }')).toMatch(/this alias contains itself$/)
    expect(problemOf('chains: *a\nproviders: &a {}')).toMatch(/no anchor before it$/)
  })

  test('mean the last anchor of their name before them', () => {
    const text =
      'cooldown: { by_provider: { a: &x { rate_limit_seconds: 1 }, b: *x, c: &x { rate_limit_seconds: 2 }, d: *x } }'
    expect(parseConfigText(text, 'c').cooldown.byProvider).toMatchObject({
      b: { rateLimitSeconds: 1 },
      d: { rateLimitSeconds: 2 },
    })
  })
})
