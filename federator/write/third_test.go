package write_test

import (
	"context"
	"io"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"canopy/federator"
	"canopy/plugins"
	"canopy/plugins/faults"
	"canopy/plugins/plugintest/mem"
)

// network are the storages that copy by themselves, by host; the last of a name.
var network = make(map[string]*mem.Endpoint)

// copier is a storage that copies by itself, in one mode, and gives every file the
// time of now.
type copier struct {
	timeless
	mode plugins.CopyMode
	// spoil, unless nil, changes what arrives.
	spoil func(content string) string
}

func copierSite(name string, mode plugins.CopyMode, tree map[string]string) *site {
	s := newSite(name, tree)
	network[name+".example"] = s.tree
	s.access = federator.Redirect
	s.Endpoint = faults.New(&copier{timeless: timeless{s.tree}, mode: mode})
	return s
}

func (c *copier) Copies(mode plugins.CopyMode) bool { return mode == c.mode }

func (c *copier) Copy(ctx context.Context, p string, other plugins.ThirdParty) error {
	u, err := url.Parse(other.URL)
	if err != nil || network[u.Host] == nil {
		return &plugins.Error{Kind: plugins.Faulty, Op: "copy", Path: p, Err: err}
	}
	from, to, at, into := network[u.Host], c.Endpoint, u.Path, p
	if other.Mode == plugins.Push {
		from, to, at, into = c.Endpoint, network[u.Host], p, u.Path
	}
	b, err := from.Open(ctx, at, plugins.Whole)
	if err != nil {
		return &plugins.Error{Kind: plugins.Faulty, Op: "copy", Path: p, Err: err}
	}
	defer b.Close()
	content, err := io.ReadAll(b)
	if err != nil {
		return err
	}
	if c.spoil != nil {
		content = []byte(c.spoil(string(content)))
	}
	_, err = timeless{to}.Store(ctx, into, strings.NewReader(string(content)), plugins.Upload{Size: -1, New: true})
	return err
}

// TestThird: storages that can copy by themselves do, and the bytes do not come
// through here.
func TestThird(t *testing.T) {
	for _, mode := range []plugins.CopyMode{plugins.Pull, plugins.Push} {
		bubble(t, func(t *testing.T) {
			a, b := copierSite("a", mode, nil), copierSite("b", mode, nil)
			f := newFront(t, &hub{}, nil, a, b)
			equal(t, "stored", kind(f.put("/d/f", "content")), "no directory for it")
			equal(t, "made", kind(f.w.MakeDirectory(t.Context(), "/d", nobody)), "done")
			equal(t, "stored", kind(f.put("/d/f", "content")), "done")
			time.Sleep(3 * time.Second)
			stored := b.Calls("store")
			f.replicate("/d/f", 2)
			equal(t, "both", a.read("/d/f")+b.read("/d/f"), "contentcontent")
			equal(t, "read by both", f.read("/d/f"), "content")
			asked := map[plugins.CopyMode]*site{plugins.Pull: b, plugins.Push: a}[mode]
			equal(t, string(mode)+": copied", asked.Calls("copy"), 1)
			equal(t, "carried", b.Calls("store")-stored, 0)
			equal(t, "left behind", a.list()+b.list(), "")
		})
	}
}

// TestThirdFails: what storages cannot do between themselves, or do badly, is
// done here, and they are not asked again for a while.
func TestThirdFails(t *testing.T) {
	long := time.Now().Add(-time.Hour)
	for name, c := range map[string]struct {
		spoil   func(string) string
		prepare func(a, b *site)
		copies  int // how often it is asked for two files
		digests []plugins.Digest
	}{
		"refuses":   {prepare: func(a, b *site) { b.Inject(faults.Rule{Op: "copy", Fail: plugins.Denied}) }, copies: 1},
		"too short": {spoil: func(s string) string { return s[1:] }, copies: 1},
		"too long":  {spoil: func(s string) string { return s + "!" }, copies: 1},
		"others":    {spoil: strings.ToUpper, copies: 1},
		"no address": {prepare: func(a, b *site) {
			a.access = federator.Proxy
		}},
		"nobody could tell": {prepare: func(a, b *site) {
			b.Endpoint = faults.New(&copier{timeless: timeless{b.tree}, mode: plugins.Pull}, "digest")
		}},
	} {
		bubble(t, func(t *testing.T) {
			a, b := copierSite("a", plugins.Pull, nil), copierSite("b", plugins.Pull, nil)
			b.Endpoint = faults.New(&copier{timeless: timeless{b.tree}, mode: plugins.Pull, spoil: c.spoil})
			if c.prepare != nil {
				c.prepare(a, b)
			}
			for _, f := range []string{"/f", "/g"} {
				a.tree.Put(f, mem.File{Content: "content", ModTime: long})
			}
			f := newFront(t, &hub{}, nil, a, b)
			for _, p := range []string{"/f", "/g"} {
				if copied, err := f.w.Replicate(t.Context(), p, 2); err != nil || copied.Made == nil {
					t.Errorf("%s: %s: %+v, %v", name, p, copied, err)
				}
				equal(t, name+": "+p, a.read(p)+b.read(p), "contentcontent")
			}
			equal(t, name+": asked to copy", b.Calls("copy"), c.copies)
			time.Sleep(time.Minute)
			equal(t, name+": left behind", b.list(), "")
			time.Sleep(10 * time.Minute)
			a.tree.Put("/h", mem.File{Content: "content", ModTime: long})
			if _, err := f.w.Replicate(t.Context(), "/h", 2); err != nil {
				t.Error(err)
			}
			equal(t, name+": asked again later", b.Calls("copy"), 2*c.copies)
		})
	}
}

// TestThirdChanges: the file is changed while storages copy it.
func TestThirdChanges(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b := copierSite("a", plugins.Pull, nil), copierSite("b", plugins.Pull, nil)
		h := &hub{}
		one, two := newFront(t, h, nil, a, b), newFront(t, h, nil, a, b)
		equal(t, "stored", kind(one.put("/f", "old")), "done")
		time.Sleep(4 * time.Second)
		b.Inject(faults.Rule{Op: "copy", Delay: 2 * time.Second, Times: 1})
		ended := make(chan error)
		go func() {
			_, err := one.w.Replicate(t.Context(), "/f", 2)
			ended <- err
		}()
		time.Sleep(time.Second)
		equal(t, "over it", kind(two.put("/f", "new")), "done")
		if err := <-ended; plugins.KindOf(err) != plugins.Changed {
			t.Errorf("it ended with %v", err)
		}
		for _, f := range []*front{one, two} {
			equal(t, "read", f.read("/f"), "new")
		}
		if got := []string{a.read("/f"), b.read("/f")}; slices.Contains(got, "old") {
			t.Errorf("there are %q", got)
		}
		time.Sleep(time.Minute)
		equal(t, "left behind", b.list(), "")
	})
}
