/** One thing that was looked at. */
export interface Finding {
  /** What was looked at: `node`, `config`, `vault`, … */
  readonly check: string
  readonly status: 'ok' | 'warning' | 'problem'
  readonly message: string
  /** How to mend it. */
  readonly hint?: string
  /** The status to exit with because of a problem. */
  readonly exitCode?: number
}
