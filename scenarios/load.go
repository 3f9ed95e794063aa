package scenarios

import (
	"embed"
	"io/fs"

	"github.com/ipseclab/ipseclab/scenarios/spec"
)

//go:embed catalogue
var catalogue embed.FS

// Catalogue are the scenario files that come with the lab.
func Catalogue() fs.FS {
	sub, err := fs.Sub(catalogue, "catalogue")
	if err != nil {
		panic(err) // the folder is embedded above
	}
	return sub
}

// Load reads and checks a scenario file. The error of a wrong file is spec.Errors.
func Load(file string) (*spec.Scenario, error) { return spec.ParseFile(file) }

// LoadFS reads and checks a scenario file of a file system, such as Catalogue.
func LoadFS(fsys fs.FS, file string) (*spec.Scenario, error) { return spec.ParseFS(fsys, file) }
