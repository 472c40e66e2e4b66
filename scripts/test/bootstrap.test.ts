import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, rmSync, utimesSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { Fixture, type Outcome } from './fixture.js'

// Stands for npm: notes how it was called, and leaves what npm leaves.
const FAKE_NPM = `
import { appendFileSync, copyFileSync, mkdirSync } from 'node:fs'
appendFileSync('calls', process.argv.slice(2).join(' ') + '\\n')
const parent = process.ppid
if (process.env.FAKE_HANG) { console.error('hanging'); setInterval(() => process.ppid === parent || process.exit(), 100) }
else if (process.env.FAKE_EXIT) { console.error('no network'); process.exitCode = Number(process.env.FAKE_EXIT) }
else setTimeout(() => {
  mkdirSync('node_modules', { recursive: true })
  copyFileSync('package-lock.json', 'node_modules/.package-lock.json')
}, 300)
`
const FAKE_BUILD = `
import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { STAMP, sourceDigest } from './stamp.mjs'
appendFileSync('calls', 'build ' + process.argv.slice(2).join(' ') + '\\n')
mkdirSync('dist', { recursive: true })
writeFileSync(STAMP, sourceDigest())
`
const CI =
  'ci --ignore-scripts --include=dev --include=optional --no-audit --no-fund --no-progress --loglevel=error'
const BUILD = 'build --js-only --if-stale'

function lockfile(version: string): string {
  const packages = {
    '': { name: 'keymux', version: '1.0.0' },
    'node_modules/one': { version, integrity: 'sha512-x' },
    'node_modules/elsewhere': { version: '1.0.0', optional: true, os: ['plan9'] },
  }
  return JSON.stringify({ lockfileVersion: 3, packages })
}

function clone(): Fixture {
  const fixture = new Fixture({
    'package.json': '{"name":"keymux","type":"module"}',
    'package-lock.json': lockfile('1.0.0'),
    'src/index.ts': 'export const one: number = 1\n',
    'npm-cli.js': FAKE_NPM,
    'scripts/build.mjs': FAKE_BUILD,
  })
  fixture.copy(...['bootstrap', 'entries', 'lock', 'processes', 'stamp'].map((name) => `scripts/${name}.mjs`))
  return fixture
}

function bootstrap(fixture: Fixture, env: Record<string, string> = {}): Promise<Outcome> {
  return fixture.node(['scripts/bootstrap.mjs'], {
    npm_execpath: path.join(fixture.root, 'npm-cli.js'),
    ...env,
  })
}

function calls(fixture: Fixture): string[] {
  const file = path.join(fixture.root, 'calls')
  const lines = existsSync(file) ? readFileSync(file, 'utf8').trimEnd().split('\n') : []
  rmSync(file, { force: true })
  return lines
}

test('installs and builds in a fresh clone, once', async () => {
  const fixture = clone()
  const { code, output } = await bootstrap(fixture)
  expect([code, output]).toEqual([
    0,
    expect.stringMatching(/^keymux: installing dependencies \(npm ci\)\nkeymux: installed in \d+ s\n$/),
  ])
  expect(calls(fixture)).toEqual([CI, BUILD])
  expect(await bootstrap(fixture)).toEqual({ code: 0, output: '' })
  expect(calls(fixture)).toEqual([])
})

test('installs again when the lockfile has changed, or when an installation was broken off', async () => {
  const fixture = clone()
  await bootstrap(fixture)
  calls(fixture)
  fixture.write('package-lock.json', lockfile('1.0.1'))
  await bootstrap(fixture)
  expect(calls(fixture)).toEqual([CI, BUILD])
  rmSync(path.join(fixture.root, 'node_modules', '.package-lock.json'))
  await bootstrap(fixture)
  expect(calls(fixture)).toEqual([CI])
})

test('takes over what somebody installed by hand, unless it is of another platform', async () => {
  const fixture = clone()
  fixture.write('node_modules/.package-lock.json', lockfile('1.0.0'))
  await bootstrap(fixture)
  expect(calls(fixture)).toEqual([BUILD])
  fixture.write('node_modules/.keymux-install', 'plan9-mips-0000\n')
  await bootstrap(fixture)
  expect(calls(fixture)).toEqual([CI])
})

test('builds again when a source has changed, but not for a test', async () => {
  const fixture = clone()
  await bootstrap(fixture)
  calls(fixture)
  fixture.write('src/index.test.ts', '')
  await bootstrap(fixture)
  expect(calls(fixture)).toEqual([])
  fixture.write('src/index.ts', 'export const one: number = 2\n')
  await bootstrap(fixture)
  expect(calls(fixture)).toEqual([BUILD])
})

test("passes npm's failure on, and tries again the next time", async () => {
  const fixture = clone()
  const { code, output } = await bootstrap(fixture, { FAKE_EXIT: '7' })
  expect(code).toBe(7)
  expect(output).toContain('no network\nkeymux: npm ci failed with exit code 7\n')
  expect(calls(fixture)).toEqual([CI])
  expect((await bootstrap(fixture)).code).toBe(0)
  expect(calls(fixture)).toEqual([CI, BUILD])
})

test('several at once install once', async () => {
  const fixture = clone()
  const outcomes = await Promise.all(Array.from({ length: 5 }, () => bootstrap(fixture)))
  expect(outcomes.map(({ code }) => code)).toEqual([0, 0, 0, 0, 0])
  expect(calls(fixture).filter((call) => call === CI)).toHaveLength(1)
  expect(existsSync(path.join(fixture.root, '.bootstrap.lock'))).toBe(false)
})

test('a lock whose owner was killed is taken over when it has been silent for long', async () => {
  const fixture = clone()
  const child = spawn(process.execPath, ['scripts/bootstrap.mjs'], {
    cwd: fixture.root,
    env: { ...process.env, npm_execpath: path.join(fixture.root, 'npm-cli.js'), FAKE_HANG: '1' },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let heard = ''
  for await (const text of child.stderr) {
    heard += String(text)
    if (heard.includes('hanging')) break
  }
  child.kill('SIGKILL')
  await once(child, 'exit')
  const lock = path.join(fixture.root, '.bootstrap.lock')
  expect(existsSync(lock)).toBe(true)
  const longAgo = new Date(Date.now() - 60_000)
  utimesSync(lock, longAgo, longAgo)
  const outcomes = await Promise.all(Array.from({ length: 4 }, () => bootstrap(fixture)))
  expect(outcomes.map(({ code }) => code)).toEqual([0, 0, 0, 0])
  expect(calls(fixture).filter((call) => call === CI)).toHaveLength(2)
})

test.skipIf(process.platform === 'win32')(
  'stops npm and gives the lock back when it is stopped',
  async () => {
    const fixture = clone()
    const child = spawn(process.execPath, ['scripts/bootstrap.mjs'], {
      cwd: fixture.root,
      env: { ...process.env, npm_execpath: path.join(fixture.root, 'npm-cli.js'), FAKE_HANG: '1' },
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    let heard = ''
    const ended = once(child, 'close')
    child.stderr.on('data', (text) => {
      heard += String(text)
      if (heard.includes('hanging')) child.kill('SIGTERM')
    })
    // `close` comes when the grandchild, which shares stderr, has ended as well
    expect(await ended).toEqual([143, null])
    expect(existsSync(path.join(fixture.root, '.bootstrap.lock'))).toBe(false)
  },
)
