import { EventEmitter } from 'node:events'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { signalStatus, watchInterrupts } from './interrupts.js'

function watched() {
  const emitter = new EventEmitter()
  const exits: number[] = []
  const interrupts = watchInterrupts(emitter, (status) => exits.push(status))
  return { interrupts, exits, send: (signal: NodeJS.Signals) => emitter.emit(signal, signal), emitter }
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
