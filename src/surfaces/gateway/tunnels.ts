import { isKeymuxError } from '../../domain/errors.js'
import type { Answer, AnswerTunnel, TunnelOver } from '../../domain/forwarding.js'
import type { OutcomeOrigin } from '../../domain/usage.js'
import type { CallerLine } from './caller-line.js'
import type { Served } from './types.js'

const LOOK_EVERY_MS = 1_000
/** A peer that is gone without a word is noticed half a minute later (TCP keep-alive). */
const KEEP_ALIVE_MS = 30_000

/** Codes of Close frames (RFC 6455 section 7.4.1, IANA's registry). */
const GOING_AWAY = 1001
const POLICY = 1008
const TRY_AGAIN_LATER = 1013

/** A session that is open. */
interface Open {
  readonly tunnel: AnswerTunnel
  readonly profileId: string
  readonly origin: OutcomeOrigin | undefined
  /** Whether its caller's token still counts. */
  readonly isAdmitted: () => boolean
}

type Asked = Pick<Served, 'vault' | 'profiles'>

/** The sessions of a gateway. Each ends when its token, its account or the vault is no longer there for it. */
export class Tunnels {
  readonly #asked: Asked
  readonly #open = new Set<Open>()
  #timer: NodeJS.Timeout | undefined

  constructor(asked: Asked) {
    this.#asked = asked
  }

  get size(): number {
    return this.#open.size
  }

  /**
   * Puts caller and provider together.
   *
   * @param head the 101 that tells the caller
   * @param over called once, when the session has ended
   */
  join(
    line: CallerLine,
    {
      answer,
      tunnel,
      head,
    }: { readonly answer: Answer; readonly tunnel: AnswerTunnel; readonly head: string },
    isAdmitted: () => boolean,
    over: (end: TunnelOver) => void,
  ): void {
    const { profileId = '' } = answer
    const open = { tunnel, profileId, origin: tunnel.origin, isAdmitted }
    const { socket, early } = line.switch(head)
    socket.setKeepAlive(true, KEEP_ALIVE_MS)
    this.#open.add(open)
    this.#timer ??= setInterval(() => this.check(), LOOK_EVERY_MS).unref()
    tunnel.join(socket, early, (end) => {
      this.#open.delete(open)
      if (this.#open.size === 0) {
        clearInterval(this.#timer)
        this.#timer = undefined
      }
      over(end)
    })
  }

  /** The gateway ends. */
  end(): void {
    for (const { tunnel } of this.#open) tunnel.close(GOING_AWAY, 'the gateway is shutting down')
  }

  /** Ends those that have lost what they were opened with. */
  check(): void {
    const isUnlocked = this.#asked.vault.isUnlocked()
    for (const open of this.#open) {
      if (!open.isAdmitted()) open.tunnel.close(POLICY, 'the gateway token is no longer valid')
      else if (!isUnlocked) open.tunnel.close(TRY_AGAIN_LATER, 'the vault is locked')
      else void this.#checkAccount(open)
    }
  }

  async #checkAccount({ tunnel, profileId, origin }: Open): Promise<void> {
    const { profiles } = this.#asked
    try {
      const { enabled } = await profiles.view(profileId)
      if (enabled && (origin === undefined || !profiles.isReplaced(profileId, origin))) return
    } catch (error) {
      // What cannot be read just now says nothing of the account.
      if (!isKeymuxError(error, 'profile_not_found')) return
    }
    tunnel.close(GOING_AWAY, 'the account of this session is no longer used')
  }
}
