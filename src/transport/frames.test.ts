import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { closeFrame, FrameScanner } from './frames.js'

interface Seen {
  readonly messages: string[]
  readonly closes: (readonly [number, string])[]
  readonly beginnings: string[]
}

function scanner(wants: (beginning: Buffer) => boolean = () => true): {
  readonly seen: Seen
  readonly scan: FrameScanner
} {
  const seen: Seen = { messages: [], closes: [], beginnings: [] }
  const scan = new FrameScanner({
    wants: (beginning) => {
      seen.beginnings.push(beginning.toString())
      return wants(beginning)
    },
    message: (payload) => seen.messages.push(payload.toString()),
    close: (code, reason) => seen.closes.push([code, reason]),
  })
  return { seen, scan }
}

/** A frame as RFC 6455 section 5.2 draws it. */
function frame(payload: string, { fin = true, opcode = 1, mask = false } = {}): Buffer {
  const bytes = Buffer.from(payload)
  const { length } = bytes
  const size = length < 126 ? Buffer.from([length]) : Buffer.alloc(length < 65_536 ? 3 : 9)
  if (length >= 65_536) size.writeBigUInt64BE(BigInt(length), 1)
  else if (length >= 126) size.writeUInt16BE(length, 1)
  if (length >= 126) size[0] = length < 65_536 ? 126 : 127
  const first = Buffer.from([(fin ? 0x80 : 0) | opcode])
  if (!mask) return Buffer.concat([first, size, bytes])
  const key = randomBytes(4)
  size[0] = (size[0] ?? 0) | 0x80
  return Buffer.concat([first, size, key, bytes.map((byte, index) => byte ^ (key[index % 4] ?? 0))])
}

const pieces = fc.array(fc.integer({ min: 1, max: 5_000 }), { minLength: 1 })
const messages = fc.array(
  fc.record({
    text: fc.oneof(
      fc.string(),
      fc.integer({ min: 0, max: 70_000 }).map((length) => 'x'.repeat(length)),
    ),
    mask: fc.boolean(),
    opcode: fc.constantFrom(1, 2, 9, 10),
    fin: fc.boolean(),
  }),
  { maxLength: 6 },
)

test('reads whole messages of up to 64 KiB, masked or not, in whatever pieces they come', () => {
  const property = fc.property(messages, pieces, (sent, sizes) => {
    const { seen, scan } = scanner()
    const isControl = (opcode: number): boolean => opcode > 2
    const frames = sent.map(({ text, mask, opcode, fin }) => {
      const payload = isControl(opcode) ? text.slice(0, 30) : text
      return frame(payload, { mask, opcode, fin: fin || isControl(opcode) })
    })
    const bytes = Buffer.concat([...frames, closeFrame(4001, 'bye')])
    for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
      const size = sizes[turn % sizes.length] ?? 1
      scan.push(bytes.subarray(at, at + size))
      at += size
    }
    const read = sent.filter(
      ({ text, opcode, fin }) => !isControl(opcode) && fin && Buffer.byteLength(text) <= 65_536,
    )
    expect(seen.messages).toEqual(read.map(({ text }) => text))
    expect(seen.closes).toEqual([[4001, 'bye']])
    expect(scan.isBetweenFrames).toBe(true)
  })
  fc.assert(property, { numRuns: 60 })
})

test('what is not wanted is looked at no further than its beginning', () => {
  const { seen, scan } = scanner((beginning) => beginning.includes('yes'))
  scan.push(frame(`no${'.'.repeat(400)}yes`))
  scan.push(frame(`yes${'.'.repeat(400)}`))
  expect(seen.messages).toEqual([`yes${'.'.repeat(400)}`])
  expect(seen.beginnings.map(({ length }) => length)).toEqual([256, 256])
})

test('knows where a frame may be put between others', () => {
  const { scan } = scanner()
  const bytes = frame('x'.repeat(70_000))
  const places = [0, 1, 5, bytes.length - 1, bytes.length]
  const between = places.map((end, index) => {
    scan.push(bytes.subarray(places[index - 1] ?? 0, end))
    return scan.isBetweenFrames
  })
  expect(between).toEqual([true, false, false, false, true])
})

test('Close frames: without a code, masked, with a reason that is cut', () => {
  const { seen, scan } = scanner()
  scan.push(Buffer.from([0x88, 0]))
  scan.push(closeFrame(1008, 'why', randomBytes(4)))
  scan.push(closeFrame(1001, 'r'.repeat(300)))
  expect(seen.closes).toEqual([
    [1005, ''],
    [1008, 'why'],
    [1001, 'r'.repeat(123)],
  ])
})

test('a frame that announces more than there will ever be is stepped into, and nothing is kept', () => {
  const { seen, scan } = scanner()
  scan.push(Buffer.concat([Buffer.from([0x81, 127]), Buffer.alloc(8, 0xff), Buffer.alloc(1_000)]))
  expect([seen.messages, scan.isBetweenFrames]).toEqual([[], false])
})
