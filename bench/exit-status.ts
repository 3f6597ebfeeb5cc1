/** Something failed, or an expectation is missed. */
export const FAILED = 1

/** The control stayed off, so there are no figures. */
export const REJECTED = 2

/** As `EX_USAGE` of sysexits.h. */
export const WRONG_CALL = 64
