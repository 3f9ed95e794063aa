package images

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// The agent is built from the module that the command is started in.
func TestBuildAgent(t *testing.T) {
	source, dir := t.TempDir(), filepath.Join(t.TempDir(), "agent")
	for name, text := range map[string]string{
		"go.mod":                "module " + module + "\n\ngo 1.26\n",
		"interop/agent/main.go": "package main\n\nfunc main() { println(\"served\") }\n",
	} {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(source, name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(source, name), []byte(text), 0o644))
	}
	t.Chdir(source)
	built, err := BuildAgent(t.Context(), dir)
	require.NoError(t, err)
	s := Store{cache: filepath.Dir(dir)}
	program, err := s.Agent()
	require.NoError(t, err)
	require.Equal(t, built, program)
	said, err := exec.Command(program).CombinedOutput()
	require.NoError(t, err)
	require.Equal(t, "served\n", string(said))
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 1, "nothing is left but the agent")

	require.NoError(t, os.WriteFile("interop/agent/main.go", []byte("package main\n\nfunc main() { oops }\n"), 0o644))
	_, err = BuildAgent(t.Context(), dir)
	require.ErrorContains(t, err, "undefined: oops")
	_, err = s.Agent()
	require.NoError(t, err, "the old one stays")
}

func TestAgentOutsideOfTheSourceTree(t *testing.T) {
	t.Chdir(t.TempDir())
	_, err := BuildAgent(t.Context(), t.TempDir())
	require.ErrorContains(t, err, "does not know its version")
	require.ErrorContains(t, err, "start it there")
	_, err = (&Store{cache: t.TempDir()}).Agent()
	require.ErrorIs(t, err, ErrNotBuilt)
}
