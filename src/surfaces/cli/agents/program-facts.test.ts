import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { RECIPES } from './catalogue.js'
import { programFacts } from './program-facts.js'
import { recognise } from './recognise.js'

let root: string
const put = (name: string, text: string | Buffer): string => {
  const path = join(root, name)
  mkdirSync(join(path, '..'), { recursive: true })
  writeFileSync(path, text)
  chmodSync(path, 0o755)
  return path
}
const link = (name: string, target: string): void => {
  mkdirSync(join(root, name, '..'), { recursive: true })
  symlinkSync(target, join(root, name))
}

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'keymux-facts-'))
  const pack = 'lib/node_modules/@openai/codex'
  put(`${pack}/package.json`, '{"name":"@openai/codex"}')
  put(`${pack}/bin/codex.js`, '#!/usr/bin/env node\n')
  put('lib/node_modules/broken/package.json', '{')
  put('lib/node_modules/broken/x.js', '')
  link('bin/coder', '../lib/node_modules/@openai/codex/bin/codex.js')
  link('bin/again', 'coder')
  link('bin/loop', 'loop')
  put('bin/wrap', '#!/bin/sh\n# "$@" is what it was given\nMODE=x exec again --profile y "$@"\n')
  put('bin/shim', '#!/bin/sh\nexec node "$basedir/node_modules/@google/gemini-cli/bundle/gemini.js" "$@"\n')
  put('bin/two', '#!/bin/sh\nif [ -t 0 ]; then claude "$@"; else codex "$@"; fi\n')
  put('bin/noise', Buffer.from([0, 1, 2, 3]))
  put('bin/empty', '')
  put('other/coder', 'not a program of this name on PATH')
})
afterAll(() => rmSync(root, { recursive: true, force: true }))

function seen(...line: string[]): string | undefined {
  const path = [join(root, 'none'), join(root, 'bin'), join(root, 'other')].join(delimiter)
  const lookUp = (program: string) => programFacts(program, { path, cwd: root })
  return recognise(line, RECIPES, lookUp)?.recipe.name
}

describe.skipIf(process.platform === 'win32')('a program on disk', () => {
  it.each([
    ['again', 'codex'],
    ['./bin/again', 'codex'],
    ['wrap', 'codex'],
    ['shim', 'gemini-cli'],
    ['two', undefined],
    ['noise', undefined],
    ['empty', undefined],
    ['loop', undefined],
    ['bin', undefined],
    ['nothing', undefined],
    ['lib/node_modules/broken/x.js', undefined],
  ])('%s', (program, expected) => {
    expect(seen(program)).toBe(expected)
  })

  it('is a script of an interpreter', () => {
    expect(seen('node', 'lib/node_modules/@openai/codex/bin/codex.js')).toBe('codex')
    expect(seen('sh', 'bin/wrap')).toBe('codex')
  })
})
