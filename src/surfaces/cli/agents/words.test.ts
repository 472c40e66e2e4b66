import { describe, expect, it } from 'vitest'
import { packageName, programName, splitWords } from './words.js'

describe('words of a command line', () => {
  it.each([
    ['a b  c', ['a', 'b', 'c']],
    [`a 'b c' "d \\" e" f\\ g`, ['a', 'b c', 'd " e', 'f g']],
    ['a=1 b"c"d', ['a=1', 'bcd']],
    ['a; b', ['a']],
    ['a | b', ['a']],
    ['$(a) b', ['$']],
    ['', []],
    ["'open", []],
  ])('%j', (text, words) => {
    expect(splitWords(text)).toEqual(words)
  })
})

describe('names', () => {
  it.each([
    ['/a/b/Claude', 'claude'],
    ['C:\\a\\codex.CMD', 'codex'],
    ['gemini.js', 'gemini'],
    ['python3.12', 'python3.12'],
  ])('of the program %j', (path, name) => {
    expect(programName(path)).toBe(name)
  })

  it.each([
    ['codex', 'codex'],
    ['@openai/codex', '@openai/codex'],
    ['@openai/codex@latest', '@openai/codex'],
    ['npm:@openai/codex@1/bin', '@openai/codex'],
    ['opencode-ai@1.2.3', 'opencode-ai'],
    ['aider-chat==0.1', 'aider-chat'],
    ['aider-chat[help]', 'aider-chat'],
    ['', ''],
  ])('of the package in %j', (specifier, name) => {
    expect(packageName(specifier)).toBe(name)
  })
})
