package images

import (
	"archive/tar"
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/client"
)

// ErrNoDocker: there is no Docker daemon, or this user may not talk to it.
var ErrNoDocker = errors.New("no Docker daemon answers")

// Docker connects to the daemon that DOCKER_HOST and its kin name.
func Docker(ctx context.Context) (*client.Client, error) {
	c, err := client.New(client.FromEnv)
	if err != nil {
		return nil, fmt.Errorf("images: %w: %w", ErrNoDocker, err)
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	if _, err := c.Ping(ctx, client.PingOptions{NegotiateAPIVersion: true}); err != nil {
		c.Close()
		return nil, fmt.Errorf("images: %w: %w", ErrNoDocker, err)
	}
	return c, nil
}

// DockerImage is the tag of an image in Docker, which is imported if it is not
// there. It has the root filesystem, and user-mode Linux as /usr/bin/linux.uml
// with its modules in /lib/modules.
func (s *Store) DockerImage(ctx context.Context, name string) (tag string, err error) {
	dir, info, err := s.Rootfs(name)
	if err != nil {
		return "", err
	}
	uml, _ := Named(Kernel)
	kernel, err := s.find(uml)
	if err != nil {
		return "", err
	}
	c, err := Docker(ctx)
	if err != nil {
		return "", err
	}
	defer c.Close()
	tag = fmt.Sprintf("ipseclab/%s:%s-%s", name, info.Hash, kernel.Hash)
	_, err = c.ImageInspect(ctx, tag)
	if err == nil || !errdefs.IsNotFound(err) {
		return tag, err
	}
	return tag, load(ctx, c, tag, info, dir, s.dir(kernel))
}

// load imports folders as an image with one layer.
func load(ctx context.Context, c *client.Client, tag string, info Info, rootfs, kernel string) error {
	stream, write := io.Pipe()
	written := make(chan error, 1)
	go func() {
		buffered := bufio.NewWriterSize(write, 1<<20)
		err := writeImage(buffered, rootfs, kernel)
		if err == nil {
			err = buffered.Flush()
		}
		write.CloseWithError(err)
		written <- err
	}()
	answer, err := c.ImageImport(ctx, client.ImageImportSource{Source: stream, SourceName: "-"}, tag, client.ImageImportOptions{
		Message: "ipseclab " + info.Image,
		Changes: []string{
			"ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
			"LABEL org.ipseclab.image=" + info.Image,
			"LABEL org.ipseclab.version=" + info.DaemonVersion(),
		},
	})
	stream.CloseWithError(errors.New("the daemon has stopped reading")) // no writer is left behind
	if werr := <-written; werr != nil && err == nil {
		err = werr
	}
	if err != nil {
		return fmt.Errorf("images: Docker image %s: %w", tag, err)
	}
	defer answer.Close()
	if err := importResult(answer); err != nil {
		return fmt.Errorf("images: Docker image %s: %w", tag, err)
	}
	return nil
}

// importResult reads the daemon's messages to their end: what is not read may not have happened.
func importResult(r io.Reader) error {
	d := json.NewDecoder(r)
	for {
		var message struct {
			Error string `json:"error"`
		}
		if err := d.Decode(&message); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		if message.Error != "" {
			return errors.New(message.Error)
		}
	}
}

// writeImage writes the tar archive of an image: a root filesystem and user-mode Linux in it.
func writeImage(w io.Writer, rootfs, kernel string) error {
	t := tar.NewWriter(w)
	seen := map[string]bool{} // Docker takes no name twice
	for _, tree := range []struct{ from, to string }{
		{rootfs, "."},
		{filepath.Join(kernel, "usr/bin/linux.uml"), "usr/bin/linux.uml"},
		{filepath.Join(kernel, kernelModules), "usr/lib/modules"},
	} {
		if err := addTree(t, seen, tree.from, tree.to); err != nil {
			return err
		}
	}
	return t.Close()
}

// addTree adds a file, or a folder with all below it, as root's; what is there already stays.
func addTree(t *tar.Writer, seen map[string]bool, from, to string) error {
	return filepath.WalkDir(from, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		link := ""
		if info.Mode()&fs.ModeSymlink != 0 {
			if link, err = os.Readlink(name); err != nil {
				return err
			}
		}
		h, err := tar.FileInfoHeader(info, link)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, name)
		if err != nil {
			return err
		}
		if h.Name = path.Join(to, filepath.ToSlash(rel)); h.Name == "." || seen[h.Name] {
			return nil
		}
		seen[h.Name] = true
		if d.IsDir() {
			h.Name += "/"
		}
		h.Uid, h.Gid, h.Uname, h.Gname = 0, 0, "root", "root"
		if err := t.WriteHeader(h); err != nil || !info.Mode().IsRegular() {
			return err
		}
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = io.Copy(t, f)
		return err
	})
}
