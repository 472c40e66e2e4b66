import { withoutUndefined } from '../domain/defined.js'
import type { QuotaState, QuotaStatus, QuotaWindow } from '../domain/quota.js'

/** One window as it is stored: fields are short, for they are written every second. */
interface WindowJson {
  readonly d: string
  readonly m?: string
  readonly l?: number
  readonly r?: number
  readonly u?: number
  readonly x?: number
  readonly s: number
  readonly st?: QuotaStatus
  readonly a?: number
}

/** Fields of a row of quota windows. */
export interface QuotaStateJson {
  ep?: number
  qw?: readonly WindowJson[]
}

export function quotaToJson({ epoch, windows }: QuotaState): QuotaStateJson {
  return { ep: epoch, qw: windows.map(windowToJson) }
}

export function quotaFromJson({ ep: epoch = 0, qw }: QuotaStateJson): QuotaState | undefined {
  return qw && { epoch, windows: qw.map(windowFromJson) }
}

function windowToJson(window: QuotaWindow): WindowJson {
  return withoutUndefined({
    d: window.dimension,
    m: window.model,
    l: window.limit,
    r: window.remaining,
    u: window.utilization,
    x: window.resetsAt?.getTime(),
    s: window.seenAt.getTime(),
    st: window.status,
    a: window.asideUntil?.getTime(),
  })
}

function windowFromJson({ d, m, l, r, u, x, s, st, a }: WindowJson): QuotaWindow {
  return withoutUndefined({
    dimension: d,
    model: m,
    limit: l,
    remaining: r,
    utilization: u,
    resetsAt: x === undefined ? undefined : new Date(x),
    seenAt: new Date(s),
    status: st,
    asideUntil: a === undefined ? undefined : new Date(a),
  })
}
