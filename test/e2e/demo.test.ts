import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, test } from 'vitest'
import { keymuxBinary } from '../transcripts/harness.js'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const home = mkdtempSync(path.join(tmpdir(), 'keymux-home-'))
afterAll(() => rmSync(home, { recursive: true, force: true }))

test('the demo shows a request served by the second account, and leaves nothing behind', () => {
  keymuxBinary()
  const git = (): string =>
    spawnSync('git', ['status', '--porcelain'], { cwd: ROOT, encoding: 'utf8' }).stdout
  const before = git()
  const { status, stdout, stderr } = spawnSync(process.execPath, ['examples/demo.mjs'], {
    cwd: ROOT,
    encoding: 'utf8',
    input: '',
    env: { PATH: process.env.PATH, HOME: home, TMPDIR: home, CI: 'true' },
  })
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  expect(stdout).toContain('openai:work: rate_limit, set aside')
  expect(stdout).toContain('openai:personal answered: Hello from the second account.')
  expect(stdout).toMatch(/cooling +in 1m (29|30)s/)
  expect(stdout.split('\n').length).toBeLessThan(50)
  expect(stdout).not.toContain('sk-demo')
  expect(existsSync(home) ? readdirSync(home) : []).toEqual([])
  expect(git()).toBe(before)
})
