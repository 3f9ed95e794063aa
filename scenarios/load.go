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

// Load reads and checks a scenario file that holds one scenario. The error of a
// wrong file is spec.Errors.
func Load(file string) (*spec.Scenario, error) { return withFile(spec.ParseFile(file)) }

// LoadFS is Load for a file of a file system, such as Catalogue.
func LoadFS(fsys fs.FS, file string) (*spec.Scenario, error) {
	return withFile(spec.ParseFS(fsys, file))
}

// LoadAll reads and checks a scenario file, with parameters or without: one
// scenario for each cell. The cells of a file differ in their names, which key
// their random streams, so that cells with the same seed draw other numbers.
func LoadAll(file string) ([]*spec.Scenario, error) { return withFiles(spec.ParseAllFile(file)) }

// LoadAllFS is LoadAll for a file of a file system, such as Catalogue.
func LoadAllFS(fsys fs.FS, file string) ([]*spec.Scenario, error) {
	return withFiles(spec.ParseAllFS(fsys, file))
}
