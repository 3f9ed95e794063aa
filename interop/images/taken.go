package images

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
)

// taken is the image that was taken from Docker; a zero Info: none was.
func (s *Store) taken(p Profile) (Info, error) {
	b, err := os.ReadFile(s.takenFile(p))
	if errors.Is(err, fs.ErrNotExist) {
		return Info{}, nil
	}
	if err != nil {
		return Info{}, fmt.Errorf("images: %w", err)
	}
	info := Info{Profile: p}
	if err := json.Unmarshal(b, &info); err != nil {
		return Info{}, fmt.Errorf("images: %s: %w", s.takenFile(p), err)
	}
	info.Profile = p
	if info.Image != p.Name || info.From == "" || !isDir(s.dir(info)) {
		return Info{}, fmt.Errorf("images: %s names no image that is there: take it from Docker again, or go back with --from-lock", s.takenFile(p))
	}
	return info, nil
}

func (s *Store) takenFile(p Profile) string {
	return filepath.Join(s.cache, "rootfs", p.Name+".docker.json")
}

// Take makes an image from one of Docker, such as interop/images/Dockerfile
// builds, in place of the packages of the lock, until [Builder.GoBack]. The image
// must have the daemon where the profile has it.
func (b *Builder) Take(ctx context.Context, name, tag string) (Info, error) {
	p, ok := Named(name)
	if !ok || p.Kernel {
		return Info{}, fmt.Errorf("images: no image is called %q: there are %v", name, Names())
	}
	c, err := Docker(ctx)
	if err != nil {
		return Info{}, err
	}
	defer c.Close()
	info, err := b.take(ctx, c, p, tag)
	if err != nil {
		return Info{}, fmt.Errorf("images: image %s from %s of Docker: %w", name, tag, err)
	}
	return info, nil
}

func (b *Builder) take(ctx context.Context, c *client.Client, p Profile, tag string) (Info, error) {
	found, err := c.ImageInspect(ctx, tag)
	if err != nil {
		return Info{}, err
	}
	if found.Os != "linux" || found.Architecture != Architecture {
		return Info{}, fmt.Errorf("it is for %s on %s, not for linux on %s", found.Os, found.Architecture, Architecture)
	}
	_, id, ok := strings.Cut(found.ID, ":")
	if !ok || len(id) < 12 {
		return Info{}, fmt.Errorf("its ID is %q", found.ID)
	}
	info := Info{Profile: p, Hash: "docker-" + id[:12], From: tag, Section: Section{Image: p.Name}}
	s := Store{cache: b.Cache}
	if !isDir(s.dir(info)) {
		if err := b.whole(s.dir(info), func(root *os.Root) error { return export(ctx, c, tag, root, p) }); err != nil {
			return Info{}, err
		}
	}
	if info.Pins, err = installed(s.dir(info)); err != nil {
		return Info{}, err
	}
	text, err := json.MarshalIndent(info, "", "  ")
	if err != nil {
		return Info{}, err
	}
	if err := writeWhole(s.takenFile(p), text); err != nil {
		return Info{}, err
	}
	b.logf("took %s from %s of Docker: %s", p.Name, tag, s.dir(info))
	return info, nil
}

// GoBack forgets that an image was taken from Docker.
func (b *Builder) GoBack(name string) error {
	s := Store{cache: b.Cache}
	if err := os.Remove(s.takenFile(Profile{Name: name})); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("images: %w", err)
	}
	return nil
}

// export copies the files of a Docker image: those of a container that is made from it and never started.
func export(ctx context.Context, c *client.Client, tag string, root *os.Root, p Profile) error {
	made, err := c.ContainerCreate(ctx, client.ContainerCreateOptions{Config: &container.Config{Image: tag, Cmd: []string{"none"}}})
	if err != nil {
		return err
	}
	defer c.ContainerRemove(context.WithoutCancel(ctx), made.ID, client.ContainerRemoveOptions{Force: true})
	files, err := c.ContainerExport(ctx, made.ID, client.ContainerExportOptions{})
	if err != nil {
		return err
	}
	defer files.Close()
	if err := prepare(root); err != nil {
		return err
	}
	u := unpacker{root: root, tree: true}
	if err := u.tar(files); err != nil {
		return err
	}
	if err := finish(root, p); err != nil {
		return err
	}
	return hasDaemon(root, p)
}

// installed are the packages that dpkg has put into a root filesystem; none without dpkg.
func installed(rootfs string) ([]Pin, error) {
	root, err := os.OpenRoot(rootfs)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	f, err := root.Open("var/lib/dpkg/status")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var pins []Pin
	err = stanzas(f, []string{"Package", "Version", "Status"}, func(fields map[string]string) error {
		if fields["status"] == "install ok installed" {
			pins = append(pins, Pin{Package: fields["package"], Version: fields["version"]})
		}
		return nil
	})
	return pins, err
}
