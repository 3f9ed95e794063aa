package interop

import _ "embed" // of the file below

// ExpectFile is where Expect is in the source tree.
const ExpectFile = "interop/expect.json"

// Expect is the file of that name: cells of the interop matrix that are known not to pass, each with its reason.
//
//go:embed expect.json
var Expect []byte
