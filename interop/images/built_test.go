package images

import (
	"debug/elf"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/needs"
)

// Every program and library of the images that are built finds the libraries that it names.
func TestBuiltImagesLackNoLibrary(t *testing.T) {
	s, err := Open("")
	require.NoError(t, err)
	for _, name := range Names() {
		t.Run(name, func(t *testing.T) {
			dir, info, err := s.Rootfs(name)
			if errors.Is(err, ErrNotBuilt) {
				needs.Missing(t, "images", err.Error())
			}
			require.NoError(t, err)
			if info.From != "" {
				t.Skipf("the image is somebody's own: %s", info.From)
			}
			have, wanted := map[string]bool{}, map[string]string{}
			require.NoError(t, filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
				if err != nil || d.IsDir() {
					return err
				}
				have[path.Base(name)] = true
				if d.Type().IsRegular() {
					for _, library := range libraries(name) {
						wanted[library] = strings.TrimPrefix(name, dir)
					}
				}
				return nil
			}))
			require.Greater(t, len(wanted), 5)
			for library, by := range wanted {
				if path.Base(by) == "q_atm.so" { // of iproute2, which only recommends libatm1
					continue
				}
				require.True(t, have[library], "%s wants %s", by, library)
			}
		})
	}
}

// libraries that an ELF file names; none for other files.
func libraries(name string) []string {
	f, err := os.Open(name)
	if err != nil {
		return nil
	}
	defer f.Close()
	e, err := elf.NewFile(f)
	if err != nil {
		return nil
	}
	all, err := e.ImportedLibraries()
	if err != nil {
		return nil
	}
	return all
}
