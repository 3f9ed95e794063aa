package images

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"

	"github.com/ipseclab/ipseclab/interop/control"
)

const (
	module       = "github.com/ipseclab/ipseclab"
	agentPackage = module + "/interop/agent"
)

// agentName has the version of its conversation with the lab: to a lab of another one it is not built.
var agentName = fmt.Sprintf("ipseclab-agent-%d", control.Version)

// Agent is the program that runs inside peers, as [BuildAgent] has made it in the cache.
func (s *Store) Agent() (program string, err error) {
	program = filepath.Join(s.cache, "agent", agentName)
	if _, err := os.Stat(program); err != nil {
		return "", fmt.Errorf("images: the agent is not built in %s: %w", s.cache, ErrNotBuilt)
	}
	return program, nil
}

// AgentFolder is where the agent of a cache lies.
func (b *Builder) AgentFolder() string { return filepath.Join(b.Cache, "agent") }

// BuildAgent makes the agent, a static program for the images' architecture,
// in a folder: from the module's source where the command is started in it, else from
// the module at the version of this program. It says where it is then.
func BuildAgent(ctx context.Context, dir string) (program string, err error) {
	tool, err := exec.LookPath("go")
	if err != nil {
		return "", fmt.Errorf("images: the agent cannot be built: %w: install Go", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("images: agent: %w", err)
	}
	temp, err := os.MkdirTemp(dir, unfinished)
	if err != nil {
		return "", fmt.Errorf("images: agent: %w", err)
	}
	defer os.RemoveAll(temp)
	args, made := []string{"build", "-o", filepath.Join(temp, agentName)}, agentName
	env := append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+Architecture)
	target := agentPackage
	if goCommand(ctx, tool, env, "list", "-m", module) != nil { // neither the module nor one that requires it
		version, err := ownVersion()
		if err != nil {
			return "", err
		}
		args, made, target = []string{"install"}, "agent", agentPackage+"@"+version
		env = append(env, "GOBIN="+temp)
	}
	args = append(args, "-trimpath", "-ldflags=-s -w", target)
	if err := goCommand(ctx, tool, env, args...); err != nil {
		return "", fmt.Errorf("images: the agent cannot be built: %w", err)
	}
	program = filepath.Join(dir, agentName)
	if err := os.Rename(filepath.Join(temp, made), program); err != nil {
		return "", fmt.Errorf("images: agent: %w", err)
	}
	return program, nil
}

func goCommand(ctx context.Context, tool string, env []string, args ...string) error {
	c := exec.CommandContext(ctx, tool, args...)
	c.Env = env
	var said bytes.Buffer
	c.Stdout, c.Stderr = &said, &said
	if err := c.Run(); err != nil {
		return fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, strings.TrimSpace(said.String()))
	}
	return nil
}

// ownVersion is the version of the module that this program was built from.
func ownVersion() (string, error) {
	info, ok := debug.ReadBuildInfo()
	if ok {
		for _, m := range append(info.Deps, &info.Main) {
			if m.Path == module && strings.HasPrefix(m.Version, "v") && !strings.Contains(m.Version, "+dirty") {
				return m.Version, nil
			}
		}
	}
	return "", errors.New("images: the agent cannot be built: this program does not know its version, " +
		"and the current folder is not in the source tree of " + module + ": start it there")
}
