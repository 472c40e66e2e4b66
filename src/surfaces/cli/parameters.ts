/** What a shell may offer for an argument: provider names, files, environment variables, or fixed words. */
export type Completion = 'provider' | 'file' | 'env' | readonly string[]

/** One positional argument. */
export interface ArgumentSpec {
  /** As shown in the help, in capitals: `ID`, `PROVIDER[:NAME]`. */
  readonly name: string
  readonly summary: string
  readonly optional?: boolean
  /** Takes all that follow; only the last argument can. */
  readonly variadic?: boolean
  /** Takes all that follow `--`; only the last argument can. The one before it may take several then. */
  readonly afterDashes?: boolean
  readonly completes?: Completion
  /** Set where long random text is legitimate, such as another program's arguments: it is not taken for a key. */
  readonly anyText?: boolean
}

/** One option. */
export interface OptionSpec {
  /** As commander writes them: `--priority <N>`, `-q, --quiet`, `--no-browser`. */
  readonly flags: string
  readonly summary: string
  /** The only values allowed. */
  readonly choices?: readonly string[]
  readonly completes?: Completion
  /** May be given several times. */
  readonly repeatable?: boolean
}

/** What a command takes. */
export interface Parameters {
  readonly arguments?: readonly ArgumentSpec[]
  readonly options?: readonly OptionSpec[]
}
