package interop

import _ "embed" // of the file below

// Expect is expect.json: cells of the interop matrix that are known not to pass, each with its reason.
//
//go:embed expect.json
var Expect []byte
