// Package scans has the scenario files in which a real scanner looks at hosts of the lab from the outside.
package scans

import "embed"

// Files are the scenario files, NAME.yaml.
//
//go:embed *.yaml
var Files embed.FS
