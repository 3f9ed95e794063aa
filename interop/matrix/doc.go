// Package matrix says which cases of the interop matrix there are, has a [Runner] run them,
// and keeps what came of them.
//
// A cell is a case, which is a scenario file or one cell of a file with parameters, between
// two systems under one driver. A system is the lab itself, or an image with a real daemon. The
// hosts of a case that are called initiator and responder are the two roles.
//
// What a cell comes to is passed, failed, unsupported with a reason, or broken; expect.json
// holds the failures that are accepted, each with its reason. Cells are independent: they run
// side by side, in shards on several machines, and again after an interruption without those
// that have a result already.
//
// The package knows no driver, no daemon and no world.
package matrix
