import { readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { Fixture, ROOT } from './fixture.js'

/** The JavaScript of a page, all its fences one after the other. */
function codeOf(page: string): string {
  const text = readFileSync(path.join(ROOT, page), 'utf8')
  return [...text.matchAll(/^```js\n(.*?)^```$/gms)].map(([, code]) => code).join('\n')
}

/** What the comments below each `console.log` say it prints. */
function promised(code: string): string[] {
  const lines = code.split('\n').map((line) => line.trim())
  return lines.flatMap((line, index) => {
    const follows = /console\.log/.test(lines[index - 1] ?? '') || /^\/\//.test(lines[index - 1] ?? '')
    return line.startsWith('// ') && follows ? [line.slice(3)] : []
  })
}

test.each(['README.md', 'docs/library.md'])(
  'the examples of %s run and print what they say',
  async (page) => {
    const code = codeOf(page)
    const fixture = new Fixture({ 'example.mjs': code })
    fixture.linkSelf()
    const home = { HOME: fixture.root, USERPROFILE: fixture.root, XDG_STATE_HOME: fixture.root }
    const { code: status, output } = await fixture.node(['example.mjs'], home)
    expect(output.trimEnd().split('\n')).toEqual(promised(code))
    expect(status).toBe(0)
  },
)
