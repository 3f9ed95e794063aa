package interop

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/log"

	"github.com/ipseclab/ipseclab/interop/images"
)

const (
	// labelDir is on every container of a lab: the folder that is locked while it lives.
	labelDir = "org.ipseclab.dir"
	// labelMachine says on which machine, since boots, that folder is.
	labelMachine = "org.ipseclab.machine"

	// dockerPatience is for what Docker does at once, or not at all.
	dockerPatience = 30 * time.Second
)

// docker is a Docker engine.
type docker struct {
	engine *client.Client

	// provider makes containers, one at a time: testcontainers closes idle connections of its client behind each call, also one
	// that another call has just taken for its request. Hence all else goes through engine.
	making   sync.Mutex
	provider *testcontainers.DockerProvider

	mu     sync.Mutex
	images map[string]string // that are known to be there: tags by names
}

// image is the tag of an image, which is imported if the engine does not have it.
func (d *docker) image(ctx context.Context, store *images.Store, name string) (string, error) {
	d.mu.Lock()
	defer d.mu.Unlock() // several peers of an image that is not there import it once
	if tag, ok := d.images[name]; ok {
		return tag, nil
	}
	tag, err := store.DockerImage(ctx, name)
	if err == nil {
		d.images[name] = tag
	}
	return tag, err
}

// connectDocker finds the engine as Docker's own tools do, and asks it for a sign of life.
//
// The reaper of testcontainers is an image of a registry's; containers are cleared away by
// label instead, when a driver starts.
func connectDocker(ctx context.Context) (_ *docker, err error) {
	if err := os.Setenv("TESTCONTAINERS_RYUK_DISABLED", "true"); err != nil {
		return nil, err
	}
	// testcontainers looks in more places than the store of images, which has to be at the same engine.
	engine, err := images.Docker(ctx)
	if err != nil {
		return nil, fmt.Errorf("interop: %w", err)
	}
	defer func() {
		if err != nil {
			engine.Close()
		}
	}()
	log.SetDefault(log.NewNoopLogger()) // it would greet on standard error
	// Of no network of its own, or it would make one for containers to be in.
	provider, err := testcontainers.NewDockerProvider(testcontainers.WithLogger(log.NewNoopLogger()), testcontainers.WithDefaultBridgeNetwork("none"))
	if err != nil {
		return nil, fmt.Errorf("interop: Docker: %w", err)
	}
	if _, err := provider.Client().Ping(ctx, client.PingOptions{}); err != nil {
		provider.Close()
		return nil, fmt.Errorf("interop: Docker does not answer: %w", err)
	}
	host := provider.Client().DaemonHost()
	if host != engine.DaemonHost() {
		provider.Close()
		return nil, fmt.Errorf("interop: two Docker engines are meant, at %s and at %s: set DOCKER_HOST to one of them", host, engine.DaemonHost())
	}
	if !strings.HasPrefix(host, "unix://") {
		provider.Close()
		return nil, fmt.Errorf("interop: Docker at %s is on another machine, and peers share folders with the lab", host)
	}
	return &docker{engine: engine, provider: provider, images: map[string]string{}}, nil
}

func (d *docker) close() {
	d.provider.Close()
	d.engine.Close()
}

// machineID tells this machine since its last boot from all others that may use the same engine.
func machineID() string {
	name, _ := os.Hostname()
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return name + " " + strings.TrimSpace(string(boot))
}

// sweep removes the containers of a folder, whose lab has died.
func (d *docker) sweep(ctx context.Context, dir string) error {
	found, err := d.engine.ContainerList(ctx, client.ContainerListOptions{
		All:     true,
		Filters: client.Filters{}.Add("label", labelDir+"="+dir, labelMachine+"="+machineID()),
	})
	if err != nil {
		return fmt.Errorf("interop: Docker: %w", err)
	}
	var all []error
	for _, c := range found.Items {
		_, err := d.engine.ContainerRemove(ctx, c.ID, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
		all = append(all, err)
	}
	return errors.Join(all...)
}

// box is a machine that is a container.
type box struct {
	docker   *docker
	id       string
	attached client.ContainerAttachResult
	log      tail
	file     string
	gone     chan struct{}
	removed  sync.Once
	removal  error
}

// boxSpec is what a container is made of.
type boxSpec struct {
	image string
	dir   string // of the driver, for the label
	argv  []string
	env   map[string]string
	user  string

	hostname string

	host func(*container.HostConfig)
	file string // for what it prints
}

// create makes a container, and gives its ID, also beside an error if there is one.
func (d *docker) create(ctx context.Context, r testcontainers.ContainerRequest) (id string, err error) {
	d.making.Lock()
	defer d.making.Unlock()
	c, err := d.provider.CreateContainer(ctx, r)
	if c != nil {
		id = c.GetContainerID()
	}
	return id, err
}

// startBox starts a container.
func (d *docker) startBox(ctx context.Context, spec boxSpec) (_ *box, err error) {
	b := &box{docker: d, file: spec.file, gone: make(chan struct{})}
	// Whoever gives up now would not learn of a container that the engine makes all the same.
	creation, cancel := context.WithTimeout(context.WithoutCancel(ctx), dockerPatience)
	defer cancel()
	b.id, err = d.create(creation, testcontainers.ContainerRequest{
		Image:      spec.image,
		Entrypoint: spec.argv,
		Env:        spec.env,
		Labels:     map[string]string{labelDir: spec.dir, labelMachine: machineID()},
		ConfigModifier: func(c *container.Config) {
			c.User, c.Hostname = spec.user, spec.hostname
		},
		HostConfigModifier: func(h *container.HostConfig) {
			h.NetworkMode = "none"
			h.SecurityOpt = []string{"no-new-privileges", "label=disable"}
			h.LogConfig = container.LogConfig{Type: "none"} // it is attached
			spec.host(h)
		},
	})
	defer func() {
		if err != nil {
			err = fmt.Errorf("interop: Docker: %w", err)
			close(b.gone)
			if b.id != "" {
				err = errors.Join(err, b.kill())
			}
		}
	}()
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, err
	}
	b.attached, err = d.engine.ContainerAttach(ctx, b.id, client.ContainerAttachOptions{
		Stream: true, Stdout: true, Stderr: true,
	})
	if err != nil {
		return nil, err
	}
	if _, err := d.engine.ContainerStart(ctx, b.id, client.ContainerStartOptions{}); err != nil {
		b.attached.Close()
		return nil, err
	}
	go func() {
		// Ends when the container does, and when the engine loses it.
		_, _ = stdcopy.StdCopy(&b.log, &b.log, b.attached.Reader)
		close(b.gone)
	}()
	return b, nil
}

func (b *box) ended() <-chan struct{}    { return b.gone }
func (b *box) printed() (string, []byte) { return b.file, b.log.text() }

// pid is the process of this machine that the container has for its first.
func (b *box) pid(ctx context.Context) (int, error) {
	about, err := b.docker.engine.ContainerInspect(ctx, b.id, client.ContainerInspectOptions{})
	if err != nil {
		return 0, fmt.Errorf("interop: Docker: %w", err)
	}
	state := about.Container.State
	if state == nil || state.Pid == 0 {
		return 0, errors.New("interop: the container does not run")
	}
	return state.Pid, nil
}

// kill has a limit of its own: a container has to go, whatever the time.
func (b *box) kill() error {
	b.removed.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), dockerPatience)
		defer cancel()
		// At once: testcontainers would stop it first, which takes another round.
		_, err := b.docker.engine.ContainerRemove(ctx, b.id, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
		if err != nil {
			b.removal = fmt.Errorf("interop: container %.12s: %w", b.id, err)
		}
		if b.attached.Conn != nil {
			b.attached.Close()
		}
		<-b.gone
	})
	return b.removal
}

// memory is that of the container's control group, or of its processes where Docker keeps no account.
func (b *box) memory(ctx context.Context) (uint64, error) {
	r, err := b.docker.engine.ContainerStats(ctx, b.id, client.ContainerStatsOptions{})
	if err != nil {
		return 0, fmt.Errorf("interop: Docker: %w", err)
	}
	defer r.Body.Close()
	var s container.StatsResponse
	if err := json.NewDecoder(r.Body).Decode(&s); err != nil {
		return 0, fmt.Errorf("interop: statistics of a container: %w", err)
	}
	// Files that it has only read can be dropped at any time; the versions of control groups name them differently.
	m := s.MemoryStats
	if used := m.Usage - min(m.Usage, max(m.Stats["total_inactive_file"], m.Stats["inactive_file"])); used > 0 {
		return used, nil
	}
	pid, err := b.pid(ctx)
	if err != nil {
		return 0, err
	}
	return memoryOf(pid)
}
