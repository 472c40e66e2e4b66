import { EventEmitter } from 'node:events'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { HOLD_MS, signalStatus, watchInterrupts } from './interrupts.js'

function watched() {
  const emitter = new EventEmitter()
  const exits: number[] = []
  const notes: string[] = []
  const interrupts = watchInterrupts(emitter, {
    exit: (status) => exits.push(status),
    held: () => notes.push('held'),
  })
  return { interrupts, exits, notes, send: (signal: NodeJS.Signals) => emitter.emit(signal, signal), emitter }
}

afterEach(() => {
  vi.useRealTimers()
})

describe('signals', () => {
  it('abort first, and end at once when they come again', () => {
    const { interrupts, exits, send } = watched()
    send('SIGINT')
    expect(interrupts.signal.reason).toMatchObject({ code: 'interrupted' })
    expect({ received: interrupts.received, exits }).toEqual({ received: 'SIGINT', exits: [] })
    send('SIGINT')
    expect(exits).toEqual([130])
  })

  it('end a command that does not end itself', () => {
    vi.useFakeTimers()
    const { exits, send } = watched()
    send('SIGTERM')
    vi.advanceTimersByTime(900)
    expect(exits).toEqual([])
    vi.advanceTimersByTime(200)
    expect(exits).toEqual([143])
  })

  it('do not cut off what must come to its end, unless they come again', () => {
    vi.useFakeTimers()
    const { interrupts, exits, notes, send } = watched()
    let busy = true
    interrupts.holdWhile(() => busy)
    interrupts.holdWhile(() => false)
    send('SIGTERM')
    expect(notes).toEqual(['held'])
    vi.advanceTimersByTime(20_500)
    expect(exits).toEqual([])
    busy = false
    vi.advanceTimersByTime(1_000)
    expect({ exits, notes }).toEqual({ exits: [143], notes: ['held'] })
    const second = watched()
    second.interrupts.holdWhile(() => true)
    second.send('SIGINT')
    second.send('SIGTERM')
    expect(second.exits).toEqual([130])
  })

  it('notice what has begun since, and wait for nothing for ever', () => {
    vi.useFakeTimers()
    const { interrupts, exits, notes, send } = watched()
    let busy = false
    interrupts.holdWhile(() => busy)
    send('SIGINT')
    expect(notes).toEqual([])
    busy = true
    vi.advanceTimersByTime(HOLD_MS)
    expect({ exits, notes }).toEqual({ exits: [], notes: ['held'] })
    vi.advanceTimersByTime(2_000)
    expect(exits[0]).toBe(130)
  })

  it('go to whoever took them last, and back again', () => {
    const { interrupts, send, emitter } = watched()
    const heard: string[] = []
    const releaseOuter = interrupts.take(['SIGINT', 'SIGUSR2'], (signal) => heard.push(`outer ${signal}`))
    const releaseInner = interrupts.take(['SIGINT'], (signal) => heard.push(`inner ${signal}`))
    send('SIGINT')
    send('SIGUSR2')
    releaseInner()
    send('SIGINT')
    releaseOuter()
    expect(heard).toEqual(['inner SIGINT', 'outer SIGUSR2', 'outer SIGINT'])
    expect(interrupts.signal.aborted).toBe(false)
    expect(emitter.listenerCount('SIGUSR2')).toBe(0)
    send('SIGINT')
    expect(interrupts.signal.aborted).toBe(true)
  })

  it('have the status that a shell gives them', () => {
    expect((['SIGHUP', 'SIGINT', 'SIGKILL', 'SIGTERM'] as const).map(signalStatus)).toEqual([
      129, 130, 137, 143,
    ])
  })
})
