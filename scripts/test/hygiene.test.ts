import { execFileSync } from 'node:child_process'
import path from 'node:path'
import { expect, test } from 'vitest'
import { Fixture, type Outcome } from './fixture.js'

// Not written out inside a path, which the check would find in this very file.
const PERSON = 'jdoe'

const SOUND = {
  '': { name: 'keymux' },
  'node_modules/a': { version: '1.0.0', integrity: 'sha512-x', optionalDependencies: { 'a-linux': '1.0.0' } },
  'node_modules/a-linux': { version: '1.0.0', integrity: 'sha512-x', optional: true },
}

async function check(packages: Record<string, object>, files: Record<string, string> = {}): Promise<Outcome> {
  const fixture = new Fixture({ ...files, 'package-lock.json': JSON.stringify({ packages }) })
  fixture.copy('scripts/hygiene.mjs', 'scripts/entries.mjs')
  execFileSync('git', ['init', '--quiet'], { cwd: fixture.root })
  const { code, output } = await fixture.node(['scripts/hygiene.mjs'])
  return { code, output: output.replaceAll(path.dirname(fixture.root), 'PARENT') }
}

test('a sound lockfile and clean files pass', async () => {
  const files = { 'docs/a.md': 'see /home/me/.config, /Users/ada and https://example.com/home/page\n' }
  expect(await check(SOUND, files)).toEqual({ code: 0, output: '' })
})

test.each([
  [
    'a host',
    { 'node_modules/b': { resolved: 'https://registry.example/b.tgz', integrity: 'sha512-x' } },
    'node_modules/b names the host it came from',
  ],
  ['no integrity', { 'node_modules/b': { version: '1.0.0' } }, 'node_modules/b has no integrity'],
  [
    'a platform left out',
    { 'node_modules/b': { integrity: 'sha512-x', optionalDependencies: { 'b-darwin': '1.0.0' } } },
    'node_modules/b misses its optional b-darwin',
  ],
])('a lockfile with %s is refused', async (_name, entry, problem) => {
  expect(await check({ ...SOUND, ...entry })).toEqual({ code: 1, output: `package-lock.json: ${problem}\n` })
})

test('finds optional packages that are nested or hoisted', async () => {
  const nested = {
    'node_modules/b/node_modules/c': {
      integrity: 'sha512-x',
      optionalDependencies: { 'c-linux': '1', 'a-linux': '1' },
    },
    'node_modules/b/node_modules/c-linux': { integrity: 'sha512-x', optional: true },
  }
  expect((await check({ ...SOUND, ...nested })).code).toBe(0)
})

test('names of machines and people are refused', async () => {
  const fixture = new Fixture({
    'package-lock.json': JSON.stringify({ packages: SOUND }),
    'docs/a.md': `fine\nsee /home/${PERSON}/x\n`,
    'src/b.ts': `const a = 'C:\\\\Users\\\\${PERSON}'\n`,
  })
  fixture.write('docs/here.md', `cd ${fixture.root}\n`)
  fixture.copy('scripts/hygiene.mjs', 'scripts/entries.mjs')
  execFileSync('git', ['init', '--quiet'], { cwd: fixture.root })
  const { code, output } = await fixture.node(['scripts/hygiene.mjs'])
  expect(code).toBe(1)
  expect(output.trimEnd().split('\n').sort()).toEqual([
    'docs/a.md:2: names the home folder of jdoe',
    `docs/here.md:1: names ${fixture.root}`,
    'src/b.ts:1: names the home folder of jdoe',
  ])
})
