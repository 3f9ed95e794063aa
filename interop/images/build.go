package images

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/singleflight"
)

// Builder makes images.
type Builder struct {
	Cache  string // folder; see DefaultCache
	Mirror Mirror
	Jobs   int  // packages fetched at a time; 0: eight
	Locked bool // a package that has gone from the mirror is an error

	// Log, if there is one, is told a line of what happens; from several goroutines, one at a time.
	Log func(line string)

	Keys string // keyring for releases; empty: Keyring

	lock Lock // of the program

	log struct {
		sync.Mutex
	}
	newer struct { // the file images.lock.new
		sync.Mutex
	}
	suites struct {
		sync.Mutex
		known map[string]*index // what each has now
	}
	fetching singleflight.Group // by file in the cache: images share packages
}

// NewBuilder is a builder for the committed lock and a cache; an empty name is [DefaultCache].
func NewBuilder(cache string, log func(line string)) (*Builder, error) {
	lock, err := Committed()
	if err != nil {
		return nil, err
	}
	return newBuilder(cache, lock, log)
}

func newBuilder(cache string, lock Lock, log func(string)) (*Builder, error) {
	s, err := open(cache, lock)
	if err != nil {
		return nil, err
	}
	return &Builder{Cache: s.cache, Log: log, lock: lock}, nil
}

func (b *Builder) logf(format string, args ...any) {
	if b.Log == nil {
		return
	}
	b.log.Lock()
	defer b.log.Unlock()
	b.Log(fmt.Sprintf(format, args...))
}

func (b *Builder) keyring() string {
	if b.Keys != "" {
		return b.Keys
	}
	return Keyring
}

// BuildAll makes several images, as [Builder.Build] does, as many at a time as there are processors.
func (b *Builder) BuildAll(ctx context.Context, names []string) ([]Info, error) {
	infos := make([]Info, len(names))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.NumCPU())
	for i, name := range names {
		group.Go(func() (err error) {
			infos[i], err = b.Build(ctx, name)
			return err
		})
	}
	return infos, group.Wait()
}

// Build makes an image, or the kernel, if the cache does not have it. When the
// mirror no longer has a package that the lock names, it takes what the suite
// has now, says so, and writes the lock that it used to images.lock.new in the
// cache, unless Locked.
func (b *Builder) Build(ctx context.Context, name string) (Info, error) {
	p, ok := Named(name)
	if !ok {
		return Info{}, fmt.Errorf("images: no image is called %q: there are %v", name, Names())
	}
	return b.build(ctx, p)
}

func (b *Builder) build(ctx context.Context, p Profile) (Info, error) {
	s, err := open(b.Cache, b.lock)
	if err != nil {
		return Info{}, err
	}
	info, err := s.find(p)
	if err == nil {
		b.logf("%s is there: %s", p.Name, s.dir(info))
		b.remind(info)
	}
	if !errors.Is(err, ErrNotBuilt) {
		return info, err
	}
	b.sweep()
	section, ok := s.newer.Of(p.Name)
	if old, had := b.lock.Of(p.Name); !ok || b.Locked {
		section, ok = old, had
	}
	if !ok {
		return Info{}, fmt.Errorf("images: the lock has nothing for %s: run ipseclab interop images --update-lock", p.Name)
	}
	info, err = b.make(ctx, p, section)
	if !errors.Is(err, errGone) {
		return info, err
	}
	if b.Locked {
		return Info{}, fmt.Errorf("%w; a newer one is not allowed (--locked): update the lock, or name a mirror that has it with --mirror", err)
	}
	b.logf("%s: looking for what %s has now", strings.TrimPrefix(err.Error(), "images: "), p.Suite)
	section, err = b.moved(ctx, p)
	if err != nil {
		return Info{}, err
	}
	return b.make(ctx, p, section)
}

// remind says what is not as the lock of the source tree has it, as long as it is so.
func (b *Builder) remind(info Info) {
	committed, _ := b.lock.Of(info.Image)
	switch {
	case info.From != "":
		b.logf("image %s is that of %s, not that of the lock; --from-lock goes back", info.Image, info.From)
	case len(Changes(committed, info.Section)) > 0:
		b.logf("warning: image %s is not made as the lock of the source tree says: see %s", info.Image, filepath.Join(b.Cache, newLock))
	}
}

// make fetches and unpacks the packages of a section.
func (b *Builder) make(ctx context.Context, p Profile, section Section) (Info, error) {
	begun := time.Now()
	info := infoOf(p, section)
	dir := filepath.Join(b.Cache, "rootfs", info.Image+"-"+info.Hash)
	if isDir(dir) {
		return info, nil
	}
	b.logf("building %s of %s of Debian %s%s", p.Name, packages(len(section.Pins)), section.Suite, b.missing(section))
	debs, err := b.debs(ctx, section)
	if err != nil {
		return Info{}, err
	}
	err = b.whole(dir, func(root *os.Root) error { return fill(ctx, root, p, section, debs) })
	if err != nil {
		return Info{}, fmt.Errorf("images: image %s: %w", p.Name, err)
	}
	b.logf("built %s in %s: %s", p.Name, time.Since(begun).Round(100*time.Millisecond), dir)
	return info, nil
}

// missing says how much has to be fetched for a section.
func (b *Builder) missing(section Section) string {
	n, size := 0, int64(0)
	for _, p := range section.Pins {
		if !b.has(p) {
			n++
			size += p.Size
		}
	}
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("; to fetch: %s, %.1f MB", packages(n), float64(size)/1e6)
}

func packages(n int) string {
	if n == 1 {
		return "1 package"
	}
	return fmt.Sprintf("%d packages", n)
}

// whole makes a folder that has its name only when fill has put everything into it.
func (b *Builder) whole(dir string, fill func(*os.Root) error) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	temp, err := os.MkdirTemp(filepath.Dir(dir), unfinished)
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp) // nothing, once it is renamed
	root, err := os.OpenRoot(temp)
	if err != nil {
		return err
	}
	defer root.Close()
	if err := fill(root); err != nil {
		return err
	}
	if err := os.Rename(temp, dir); err != nil && !isDir(dir) { // unless another process was first
		return err
	}
	return nil
}

// debs fetches the packages of a section, several at a time.
func (b *Builder) debs(ctx context.Context, section Section) ([]string, error) {
	jobs := b.Jobs
	if jobs <= 0 {
		jobs = 8
	}
	debs := make([]string, len(section.Pins))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(jobs)
	for i, pin := range section.Pins {
		group.Go(func() (err error) {
			debs[i], err = b.deb(ctx, pin)
			return err
		})
	}
	return debs, group.Wait()
}

// fill unpacks packages into an empty folder and makes an image of it.
func fill(ctx context.Context, root *os.Root, p Profile, section Section, debs []string) error {
	if err := prepare(root); err != nil {
		return err
	}
	u := unpacker{root: root, keep: p.Keep}
	for i, pin := range section.Pins {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := u.open(debs[i]); err != nil {
			return fmt.Errorf("package %s: %w", pin, err)
		}
	}
	if err := finish(root, p); err != nil {
		return err
	}
	return hasDaemon(root, p)
}

func hasDaemon(root *os.Root, p Profile) error {
	if _, err := root.Stat(strings.TrimPrefix(p.Daemon, "/")); err != nil {
		return fmt.Errorf("it has no %s: %w", p.Daemon, err)
	}
	return nil
}

func (u *unpacker) open(deb string) error {
	f, err := os.Open(deb)
	if err != nil {
		return err
	}
	defer f.Close()
	return u.deb(f)
}

const abandoned = 6 * time.Hour // no build takes so long

// sweep removes what builds have left that were interrupted.
func (b *Builder) sweep() {
	for _, folder := range []string{"rootfs", "debs"} {
		left, err := filepath.Glob(filepath.Join(b.Cache, folder, unfinished+"*"))
		if err != nil {
			continue
		}
		for _, name := range left {
			if info, err := os.Lstat(name); err == nil && time.Since(info.ModTime()) > abandoned {
				os.RemoveAll(name) // it costs nothing but room
			}
		}
	}
}
