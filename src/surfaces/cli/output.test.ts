import { describe, expect, it } from 'vitest'
import { fakeHost } from '../../../test/transcripts/fake-host.js'
import { Output, type OutputMode } from './output.js'
import { createStyle, wantsColor } from './style.js'

function speaking(mode: Partial<OutputMode> = {}, columns?: number) {
  const { host, outcome } = fakeHost(columns === undefined ? {} : { columns })
  const output = new Output(host.stdout, host.stderr, { json: false, quiet: false, verbose: false, ...mode })
  return { output, printed: () => outcome(0) }
}

describe('results', () => {
  it('are text for people and one JSON document for programs', () => {
    const people = speaking()
    people.output.result({ id: 'x' }, () => 'the id is x')
    expect(people.printed().stdout).toBe('the id is x\n')

    const programs = speaking({ json: true })
    programs.output.result({ profile_ids: ['x'] }, () => 'unused')
    expect(programs.printed().stdout).toBe('{"profile_ids":["x"]}\n')

    const both = speaking({ json: true }, 80)
    both.output.result({ id: 'x' }, () => 'unused')
    expect(both.printed().stdout).toBe('{\n  "id": "x"\n}\n')
  })

  it('keep one event on a line even on a terminal', () => {
    const { output, printed } = speaking({ json: true }, 80)
    output.event({ event: 'open', url: 'https://x' })
    expect(printed().stdout).toBe('{"event":"open","url":"https://x"}\n')
  })
})

describe('what a terminal would obey', () => {
  const hostile = 'a\u001b]0;owned\u0007b\u001b[2Jc\u009b31md\u202ee'

  it('is escaped in text, notes and JSON, whoever forgot to', () => {
    const { output, printed } = speaking({ verbose: true })
    output.text(hostile)
    output.note(hostile)
    output.document({ hostile })
    output.event({ hostile })
    const { stdout, stderr } = printed()
    expect((stdout + stderr).replaceAll('\n', '')).not.toMatch(/[\p{Cc}\u202e]/u)
    expect(JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '')).toEqual({ hostile })
  })

  it('is escaped in a secret only where people look at it', () => {
    const piped = speaking()
    piped.output.raw(`key${hostile}\n\tmore`)
    expect(piped.printed().stdout).toBe(`key${hostile}\n\tmore\n`)
    const shown = speaking({}, 80)
    shown.output.raw(`key${hostile}\n\tmore`)
    expect(shown.printed().stdout).toBe('keya\\u001b]0;owned\\u0007b\\u001b[2Jc\\u009b31md\\u202ee\n\tmore\n')
  })

  it('does not include our own colours', () => {
    const { output, printed } = speaking({}, 80)
    const style = createStyle(true)
    output.text(`${style.good('fine')} ${style.bad(hostile)}`)
    const { stdout } = printed()
    expect(stdout).toContain('\u001b[32mfine\u001b[39m')
    expect(stdout.split('\u001b')).toHaveLength(5)
  })
})

describe('notes', () => {
  it.each([
    [{}, 'note\n'],
    [{ verbose: true }, 'note\ndetail\n'],
    [{ quiet: true }, ''],
    [{ json: true, verbose: true }, ''],
  ])('%j', (mode, expected) => {
    const { output, printed } = speaking(mode)
    output.note('note')
    output.detail('detail')
    expect(printed()).toMatchObject({ stdout: '', stderr: expected })
  })
})

describe('colour', () => {
  it.each([
    [{ isTTY: true, env: {}, refused: false }, true],
    [{ isTTY: false, env: {}, refused: false }, false],
    [{ isTTY: true, env: { TERM: 'dumb' }, refused: false }, false],
    [{ isTTY: true, env: { NO_COLOR: '1' }, refused: false }, false],
    [{ isTTY: true, env: { NO_COLOR: '' }, refused: false }, true],
    [{ isTTY: true, env: {}, refused: true }, false],
    [{ isTTY: false, env: { FORCE_COLOR: '1' }, refused: false }, true],
    [{ isTTY: false, env: { FORCE_COLOR: '' }, refused: false }, true],
    [{ isTTY: true, env: { FORCE_COLOR: '0' }, refused: false }, false],
    [{ isTTY: true, env: { FORCE_COLOR: '3', NO_COLOR: '1' }, refused: false }, false],
    [{ isTTY: true, env: { FORCE_COLOR: '3' }, refused: true }, false],
  ])('%j', (facts, expected) => {
    expect(wantsColor(facts)).toBe(expected)
  })

  it('is legible on light and on dark: no black, white, yellow or bright foreground', () => {
    const style = createStyle(true)
    for (const paint of Object.values(style).filter((member) => typeof member === 'function')) {
      expect(paint('x')).not.toMatch(/\[(30|33|37|9\d|38;.*)m/)
    }
  })
})
