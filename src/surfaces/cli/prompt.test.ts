import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  bundleProgram,
  makeSandbox,
  plainScreen,
  removeSandbox,
  runInTerminal,
  runProgram,
  terminalSession,
} from '../../../test/transcripts/harness.js'
import { LineEditor } from './line-editor.js'
import { createPrompter } from './prompt.js'
import type { Terminal } from './terminal.js'

const PROGRAM = `
import { createHash } from 'node:crypto'
import { createPrompter } from './src/surfaces/cli/prompt.js'
import { openTerminal } from './src/surfaces/cli/terminal.js'
import { watchInterrupts, signalStatus } from './src/surfaces/cli/interrupts.js'
const interrupts = watchInterrupts(process, (status) => process.exit(status))
const prompter = createPrompter(openTerminal, interrupts.signal)
const ask = {
  hidden: () => prompter.hidden('Key: '),
  digest: async () => createHash('sha256').update(await prompter.hidden('Key: ')).digest('hex'),
  two: async () => [await prompter.hidden('One: '), await prompter.hidden('Two: ')],
  line: () => prompter.line('Name: '),
  confirm: () => prompter.confirm('Remove it?'),
  new: () => prompter.newPassphrase('New passphrase'),
  throw: async () => { process.nextTick(() => { throw new Error('broken') }); return prompter.hidden('Key: ') },
}
try {
  const answer = await ask[process.argv[2]]()
  console.log('answer ' + JSON.stringify(answer ?? null))
  process.exit(0)
} catch (error) {
  console.log('error ' + error.code)
  process.exit(interrupts.received === undefined ? error.exitCode : signalStatus(interrupts.received))
}
`

let sandbox: string
let program: string
beforeAll(async () => {
  sandbox = makeSandbox()
  program = await bundleProgram(PROGRAM, sandbox)
})
afterAll(() => removeSandbox(sandbox))

/** Types when asked, and gives what is on the screen in the end. */
async function converse(question: string, ...turns: readonly (readonly [string | RegExp, string])[]) {
  const session = runInTerminal(program, [question], sandbox)
  for (const [prompt, typed] of turns) {
    await session.waitFor(prompt)
    session.type(typed)
  }
  const { code, screen } = await session.ended
  return { code, screen: plainScreen(screen) }
}

describe('a hidden prompt in a terminal', () => {
  it('shows nothing of what is typed', async () => {
    const { code, screen } = await converse('hidden', ['Key: ', 'hunter2\r'])
    expect({ code, screen }).toEqual({ code: 0, screen: 'Key: \nanswer "hunter2"\n' })
  })

  it.each([
    ['backspace', 'hunterx\u007f2\r', 'hunter2'],
    ['backspace over a character of several bytes', 'kéy日\u007f\b\u007fé\r', 'ké'],
    ['more backspaces than characters', 'a\u007f\u007f\u007fb\r', 'b'],
    ['Ctrl-U', 'wrong\u0015right\r', 'right'],
    ['arrow keys and other sequences', 'a\u001b[D\u001bOPb\u001b[3~c\r', 'abc'],
    ['a bracketed paste', '\u001b[200~pasted key\u001b[201~\r', 'pasted key'],
    ['an emoji and a tab', '🔑\tx\r', '🔑\tx'],
    ['Ctrl-D in the middle', 'a\u0004b\r', 'ab'],
    ['Ctrl-Z, Ctrl-L, Ctrl-S', 'a\u001a\u000c\u0013b\r', 'ab'],
    ['nothing', '\r', ''],
  ])('takes %s', async (_, typed, answer) => {
    expect(await converse('hidden', ['Key: ', typed])).toEqual({
      code: 0,
      screen: `Key: \nanswer ${JSON.stringify(answer)}\n`,
    })
  })

  it('takes a long pasted secret whole', async () => {
    const secret = `${'日本語abc'.repeat(1_500)}!`
    const { screen } = await converse('digest', ['Key: ', `${secret}\r`])
    expect(screen).toContain(createHash('sha256').update(secret).digest('hex'))
  })

  it('keeps what was typed ahead for the next question', async () => {
    expect((await converse('two', ['One: ', 'first\rsecond\r'])).screen).toContain(
      'answer ["first","second"]',
    )
    expect((await converse('two', ['One: ', 'first\r\nsecond\r'])).screen).toContain(
      'answer ["first","second"]',
    )
  })

  it('ends with 130 on Ctrl-C, and with an error on Ctrl-D', async () => {
    expect(await converse('hidden', ['Key: ', 'abc\u0003'])).toEqual({
      code: 130,
      screen: 'Key: \nerror interrupted\n',
    })
    expect(await converse('hidden', ['Key: ', '\u0004'])).toEqual({
      code: 1,
      screen: 'Key: \nerror aborted\n',
    })
  })
})

describe('other questions in a terminal', () => {
  it('show what is typed', async () => {
    expect((await converse('line', ['Name: ', 'Zoë\r'])).screen).toBe('Name: Zoë\nanswer "Zoë"\n')
  })

  it('end with 130 on Ctrl-C too', async () => {
    const { code, screen } = await converse('line', ['Name: ', 'ab\u0003'])
    expect(code).toBe(130)
    expect(screen).toContain('error interrupted')
  })

  it.each([
    ['y\r', true],
    ['YES\r', true],
    ['n\r', false],
    ['\r', false],
    ['what\rmaybe\ry\r', true],
    ['a\rb\rc\r', false],
  ])('confirm with %j', async (typed, answer) => {
    const { screen } = await converse('confirm', ['Remove it? [y/N] ', typed])
    expect(screen).toContain(`answer ${answer}`)
  })

  it('ask for a new passphrase twice', async () => {
    const fine = await converse(
      'new',
      [/New passphrase .*: /, 'a long one\r'],
      ['The same again: ', 'a long one\r'],
    )
    expect(fine.screen).toContain('answer "a long one"')
    expect(fine.screen).toContain('12 characters or more')

    const second = await converse(
      'new',
      [/New passphrase .*: /, '\r'],
      ['It must not be empty.', ''],
      [/New passphrase .*: /, 'one\r'],
      ['The same again: ', 'other\r'],
      ['They differ', ''],
      [/New passphrase .*: /, 'one\r'],
      ['The same again: ', 'one\r'],
    )
    expect(second.screen).toContain('answer "one"')

    const never = await converse('new', [/New passphrase .*: /, '\r\r\r'])
    expect(never).toMatchObject({ code: 2, screen: expect.stringContaining('error invalid_value') })
  })
})

describe('the terminal afterwards', () => {
  /** Runs the program from a shell and asks the shell how the terminal is. */
  async function settingsAfter(question: string, end: (pid: number, type: (text: string) => void) => void) {
    const line = `'${process.execPath}' '${program}' ${question} & P=$!; echo pid=$P=; wait $P; echo; stty -a`
    const shell = terminalSession('/bin/sh', ['-c', line], sandbox)
    await shell.waitFor(/pid=(\d+)=/)
    const pid = Number(/pid=(\d+)=/.exec(shell.screen())?.[1])
    await shell.waitFor('Key: ')
    end(pid, shell.type)
    const { screen } = await shell.ended
    return plainScreen(screen)
  }

  it.each<[string, string, (pid: number, type: (text: string) => void) => void]>([
    ['an answer', 'hidden', (_, type) => type('x\r')],
    ['Ctrl-C', 'hidden', (_, type) => type('x\u0003')],
    ['SIGTERM', 'hidden', (pid) => process.kill(pid, 'SIGTERM')],
    ['SIGHUP', 'hidden', (pid) => process.kill(pid, 'SIGHUP')],
    ['an exception elsewhere', 'throw', () => {}],
  ])('is as before, after %s', async (_, question, end) => {
    const screen = await settingsAfter(question, end)
    expect(screen).toMatch(/(?<!-)\bicanon\b/)
    expect(screen).toMatch(/(?<!-)\becho\b/)
    expect(screen).toMatch(/(?<!-)\bisig\b/)
  })
})

describe('without a terminal', () => {
  it.each(['hidden', 'line', 'confirm', 'new'])('%s gives nothing, at once', async (question) => {
    const { code, stdout } = await runProgram(program, [question], sandbox, { stdin: 'piped\n' })
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'answer null\n' })
  })
})

describe('a prompter on a made-up terminal', () => {
  function made() {
    const log: string[] = []
    let hear: ((bytes: Uint8Array | undefined) => void) | undefined
    const terminal: Terminal = {
      write: (text) => log.push(text),
      raw: (on) => log.push(on ? '<raw>' : '<cooked>'),
      listen: (listener) => {
        hear = listener
      },
      close: () => log.push('<closed>'),
    }
    return {
      log,
      terminal,
      say: (text: string | undefined) => hear?.(text === undefined ? text : Buffer.from(text)),
    }
  }

  it('gives the terminal back when the command is ended meanwhile', async () => {
    const { log, terminal } = made()
    const controller = new AbortController()
    const answer = createPrompter(() => terminal, controller.signal).hidden('Key: ')
    controller.abort(new Error('ended'))
    await expect(answer).rejects.toThrow('ended')
    expect(log).toEqual(['<raw>', 'Key: ', '\n', '<closed>'])
  })

  it('ends when the terminal goes away', async () => {
    const { terminal, say } = made()
    const answer = createPrompter(() => terminal, new AbortController().signal).hidden('Key: ')
    say(undefined)
    await expect(answer).rejects.toMatchObject({ code: 'aborted' })
  })

  it('escapes what it asks', async () => {
    const { log, terminal, say } = made()
    const answer = createPrompter(() => terminal, new AbortController().signal).hidden('Key for \u001b[2Jx: ')
    say('k\r')
    await answer
    expect(log[1]).toBe('Key for \\u001b[2Jx: ')
  })
})

describe('the line editor', () => {
  it('gives the same line however the bytes are cut', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme', maxLength: 40 }).filter((text) => !/\p{Cc}/u.test(text)),
        fc.infiniteStream(fc.integer({ min: 1, max: 5 })),
        (text, sizes) => {
          const editor = new LineEditor()
          const bytes = Buffer.from(`${text}\rrest`)
          let fed: ReturnType<LineEditor['feed']>
          let at = 0
          while (fed === undefined && at < bytes.length) {
            const size = sizes.next().value ?? 1
            fed = editor.feed(bytes.subarray(at, at + size))
            at += size
          }
          expect(fed?.event).toEqual({ kind: 'line', text: bytes.toString().split('\r')[0] })
        },
      ),
    )
  })

  it('survives any bytes', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 64 }), { maxLength: 8 }), (chunks) => {
        const editor = new LineEditor()
        for (const chunk of chunks) {
          const fed = editor.feed(chunk)
          const line = fed?.event.kind === 'line' ? fed.event.text : ''
          expect(line.replaceAll('\t', '')).not.toMatch(/\p{Cc}/u)
        }
      }),
    )
  })
})
