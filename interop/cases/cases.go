// Package cases has the scenario files of the interop matrix, and what is known of each beside them.
//
// They are ordinary scenario files: each passes between two hosts of the lab, in virtual time. The
// hosts that are called initiator and responder may each be replaced by a real daemon. Hence a case
// names no date, is over within seconds, and expects nothing but what an observer sees and what holds of every
// implementation that keeps to the standards.
package cases

import "embed"

// Files are the scenario files, NAME.yaml, and cases.yaml, which says what a case needs, how long it
// may take and what it is about.
//
//go:embed *.yaml
var Files embed.FS
