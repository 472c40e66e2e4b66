import { closeSync, mkdirSync, openSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { bundleProgram, makeSandbox, removeSandbox, runProgram } from '../../../test/transcripts/harness.js'
import { readPassphraseDescriptor } from './descriptor.js'

const NEVER = new AbortController().signal

let sandbox: string
beforeAll(() => {
  sandbox = makeSandbox()
})
afterAll(() => removeSandbox(sandbox))

async function fromFile(content: string | Uint8Array): Promise<Buffer> {
  const file = path.join(sandbox, 'passphrase')
  writeFileSync(file, content)
  const fd = openSync(file, 'r')
  try {
    return Buffer.from(await readPassphraseDescriptor(fd, NEVER))
  } finally {
    closeSync(fd)
  }
}

describe('a passphrase from a descriptor', () => {
  it.each([
    ['secret', 'secret'],
    ['secret\n', 'secret'],
    ['secret\r\n', 'secret'],
    ['se\ncret\n\n', 'se\ncret\n'],
    [' spaced ', ' spaced '],
  ])('%j', async (content, expected) => {
    expect((await fromFile(content)).toString()).toBe(expected)
  })

  it('is taken byte for byte', async () => {
    expect([...(await fromFile(Uint8Array.of(0xff, 0x00, 0x0a)))]).toEqual([0xff, 0x00])
  })

  it.each([
    ['', /empty/],
    ['\n', /empty/],
    ['x'.repeat(70_000), /more than 64 KiB/],
  ])('is refused when it is %#', async (content, message) => {
    await expect(fromFile(content)).rejects.toMatchObject({
      code: 'invalid_value',
      message: expect.stringMatching(message),
    })
  })

  it('is refused from a descriptor that is not open, or is a folder', async () => {
    await expect(readPassphraseDescriptor(9_999, NEVER)).rejects.toMatchObject({ code: 'invalid_value' })
    const folder = path.join(sandbox, 'folder')
    mkdirSync(folder)
    const fd = openSync(folder, 'r')
    await expect(readPassphraseDescriptor(fd, NEVER)).rejects.toMatchObject({ code: 'invalid_value' })
    closeSync(fd)
  })
})

describe('in a process of its own', () => {
  const PROGRAM = `
import { readPassphraseDescriptor } from './src/surfaces/cli/descriptor.js'
try {
  const bytes = await readPassphraseDescriptor(Number(process.argv[2]), new AbortController().signal)
  console.log(Buffer.from(bytes).toString())
} catch (error) {
  console.log(error.code)
}
process.exit()
`
  let program: string
  beforeAll(async () => {
    program = await bundleProgram(PROGRAM, sandbox)
  })

  it('reads the pipe it is given', async () => {
    expect((await runProgram(program, ['3'], sandbox, { fd3: 'from the pipe\n' })).stdout).toBe(
      'from the pipe\n',
    )
    expect((await runProgram(program, ['0'], sandbox, { stdin: 'from stdin\n' })).stdout).toBe('from stdin\n')
  })

  it('does not hang on a descriptor that is Node’s own', async () => {
    const numbers = [4, 5, 6, 7, 8, 10, 12, 15, 17]
    const results = await Promise.all(numbers.map((fd) => runProgram(program, [String(fd)], sandbox)))
    for (const { stdout } of results) expect(stdout).toBe('invalid_value\n')
  })
})
