import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { EventReader, type ServerSentEvent } from './event-stream.js'

function read(...chunks: (string | Uint8Array)[]): ServerSentEvent[] {
  const reader = new EventReader()
  const events = chunks.flatMap((chunk) => reader.push(Buffer.from(chunk)))
  return [...events, ...reader.end()]
}

describe('events', () => {
  test('names, several lines of data, comments, fields without a value', () => {
    const text =
      ': hello\n\nevent: a\ndata: 1\ndata:2\nid: 7\nretry: 5\n\ndata\ndata: x\n\nevent: lost\n\ndata: y\n\n'
    expect(read(text)).toEqual([
      { event: 'a', data: '1\n2' },
      { event: '', data: '\nx' },
      { event: '', data: 'y' },
    ])
  })

  test('a byte order mark is no part of the first field', () => {
    expect(read('\ufeffdata: a\n\n')).toEqual([{ event: '', data: 'a' }])
  })

  test('an event is there with the end of its blank line, not before', () => {
    const reader = new EventReader()
    expect(reader.push(Buffer.from('data: a\n'))).toEqual([])
    expect(reader.push(Buffer.from('\n'))).toEqual([{ event: '', data: 'a' }])
    expect(reader.end()).toEqual([])
  })

  test('what lacks its blank line comes at the end', () => {
    expect(read('data: {"error":1}')).toEqual([{ event: '', data: '{"error":1}' }])
  })

  test('chunks and line ends make no difference', () => {
    const events = fc.array(
      fc.record({
        event: fc.constantFrom('', 'a', 'error'),
        data: fc.constantFrom('1', 'ä\n日', '{"x":"\\n"}'),
      }),
    )
    fc.assert(
      fc.property(events, fc.constantFrom('\n', '\r\n', '\r'), fc.array(fc.nat(40)), (wanted, end, cuts) => {
        const text = wanted
          .map(({ event, data }) => {
            const lines = data.split('\n').map((line) => `data: ${line}`)
            return [...(event === '' ? [] : [`event: ${event}`]), ...lines, '', ''].join(end)
          })
          .join('')
        const bytes = Buffer.from(text)
        const chunks: Uint8Array[] = []
        let start = 0
        for (const cut of cuts) {
          chunks.push(bytes.subarray(start, start + cut))
          start += cut
        }
        expect(read(...chunks, bytes.subarray(start))).toEqual(wanted)
      }),
    )
  })
})
