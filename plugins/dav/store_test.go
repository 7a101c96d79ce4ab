package dav

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"canopy/plugins"
	"canopy/plugins/plugintest/rig"
	"canopy/plugins/webclient"
)

// shelf is a storage of one directory below the root, "/dir", with whatever
// files are in it, that answers writing as it is told.
type shelf struct {
	// files are responses by name, software is the Server header.
	files    map[string]string
	software string
	// answer is the status of what writes, asked what that was.
	answer int
	asked  []string
	header http.Header
	body   string
}

func (s *shelf) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.software != "" {
		w.Header().Set("Server", s.software)
	}
	path := strings.TrimPrefix(r.URL.Path, "/d")
	if r.Method != "PROPFIND" && r.Method != http.MethodHead {
		b, _ := io.ReadAll(r.Body)
		s.asked, s.header, s.body = append(s.asked, r.Method+" "+r.RequestURI), r.Header, string(b)
		w.WriteHeader(s.answer)
		return
	}
	found, ok := s.files[strings.TrimPrefix(path, "/dir/")]
	if path = strings.TrimSuffix(path, "/"); path == "" || path == "/dir" {
		found, ok = dir, true
	}
	switch {
	case !ok:
		w.WriteHeader(http.StatusNotFound)
	case r.Method == http.MethodHead:
		w.Header().Set("ETag", `"from-head"`)
	default:
		w.WriteHeader(http.StatusMultiStatus)
		io.WriteString(w, `<D:multistatus xmlns:D="DAV:">`+response(r.URL.EscapedPath(), found)+`</D:multistatus>`)
	}
}

func tagged(tag string) string { return file + "<D:getetag>" + tag + "</D:getetag>" }

func TestStoreConditions(t *testing.T) {
	for name, c := range map[string]struct {
		upload        plugins.Upload
		there         string
		want          plugins.Kind
		header, value string
	}{
		"none":                        {plugins.Upload{}, file, 0, "", ""},
		"new":                         {plugins.Upload{New: true}, "", 0, "If-None-Match", "*"},
		"new, a file is there":        {plugins.Upload{New: true}, file, plugins.Exists, "", ""},
		"new, a directory is there":   {plugins.Upload{New: true}, dir, plugins.Exists, "", ""},
		"matches":                     {plugins.Upload{IfMatch: `"1"`}, tagged(`"1"`), 0, "If-Match", `"1"`},
		"weakly":                      {plugins.Upload{IfMatch: `"1"`}, tagged(`W/"1"`), 0, "", ""},
		"was weak":                    {plugins.Upload{IfMatch: `W/"1"`}, tagged(`"1"`), 0, "If-Match", `"1"`},
		"does not match":              {plugins.Upload{IfMatch: `"1"`}, tagged(`"2"`), plugins.Changed, "", ""},
		"nothing to match":            {plugins.Upload{IfMatch: `"1"`}, "", plugins.Changed, "", ""},
		"a directory":                 {plugins.Upload{IfMatch: `"1"`}, dir, plugins.IsDirectory, "", ""},
		"told by HEAD":                {plugins.Upload{IfMatch: `"from-head"`}, file, 0, "If-Match", `"from-head"`},
		"told by HEAD, and another":   {plugins.Upload{IfMatch: `"1"`}, file, plugins.Changed, "", ""},
		"a time of its own is chosen": {plugins.Upload{ModTime: time.Unix(1e9, 0)}, file, 0, "X-Oc-Mtime", "1000000000"},
	} {
		s := &shelf{files: map[string]string{}, answer: http.StatusCreated}
		if c.there != "" {
			s.files["f"] = c.there
		}
		e := serve(t, s.ServeHTTP)
		c.upload.Size = 3
		entry, err := e.Store(t.Context(), "/dir/f", strings.NewReader("abc"), c.upload)
		wantKind(t, err, c.want)
		switch {
		case c.want != 0 && len(s.asked) > 0:
			t.Errorf("%s: asked %v", name, s.asked)
		case c.want == 0 && (s.body != "abc" || entry.Size != 3 || entry.Name != "f" || c.header != "" && s.header.Get(c.header) != c.value):
			t.Errorf("%s: %+v, put %q with %v", name, entry, s.body, s.header)
		case c.header == "" && s.header.Get("If-Match")+s.header.Get("If-None-Match") != "":
			t.Errorf("%s: unexpected condition in %v", name, s.header)
		}
	}
}

func TestStoreRefused(t *testing.T) {
	for _, c := range []struct {
		path   string
		answer int
		upload plugins.Upload
		want   plugins.Kind
	}{
		{"/dir/new", 404, plugins.Upload{}, plugins.Invalid},
		{"/dir/new", 409, plugins.Upload{}, plugins.Invalid},
		{"/dir/new", 403, plugins.Upload{}, plugins.Denied},
		{"/dir/new", 500, plugins.Upload{}, plugins.Faulty},
		{"/dir/new", 507, plugins.Upload{}, plugins.Full},
		{"/dir/new", 413, plugins.Upload{}, plugins.Full},
		{"/dir/new", 423, plugins.Upload{}, plugins.Locked},
		{"/dir/new", 412, plugins.Upload{New: true}, plugins.Exists},
		{"/dir/f", 412, plugins.Upload{IfMatch: `"1"`}, plugins.Changed},
		{"/dir", 405, plugins.Upload{}, plugins.IsDirectory},
		{"/dir", 409, plugins.Upload{}, plugins.IsDirectory},
		{"/dir", 404, plugins.Upload{}, plugins.IsDirectory},
		{"/", 201, plugins.Upload{}, plugins.IsDirectory},
		{"/none/new", 409, plugins.Upload{}, plugins.NoParent},
		{"/none/new", 404, plugins.Upload{}, plugins.NoParent},
		{"/none/new", 500, plugins.Upload{}, plugins.NoParent},
		{"/dir/f/new", 400, plugins.Upload{}, plugins.NoParent},
	} {
		s := &shelf{files: map[string]string{"f": tagged(`"1"`)}, answer: c.answer}
		c.upload.Size = 3
		_, err := serve(t, s.ServeHTTP).Store(t.Context(), c.path, strings.NewReader("abc"), c.upload)
		if e, ok := err.(*plugins.Error); !ok || e.Kind != c.want || e.Op != "store" || e.Path != c.path {
			t.Errorf("%s, %d: %v, want %v", c.path, c.answer, err, c.want)
		}
	}
}

// XRootD makes missing directories, and loses its way in chunks.
func TestStoreOnXRootD(t *testing.T) {
	for _, c := range []struct {
		software, path string
		size           int64
		want           plugins.Kind
	}{
		{"XrootD/v5.5.3", "/dir/new", 3, 0},
		{"XrootD/v5.5.3", "/none/new", 3, plugins.NoParent},
		{"XrootD/v5.5.3", "/dir/f/new", 3, plugins.NoParent},
		{"XrootD/v5.5.3", "/dir/new", -1, plugins.Unsupported},
		{"XrootD/v5.6.2", "/dir/new", -1, plugins.Unsupported},
		{"XrootD/v5.6.3", "/dir/new", -1, 0},
		{"XrootD/v6.1.0-rc1", "/dir/new", -1, 0},
		{"XrootD/v20260101-abcdef", "/dir/new", -1, 0},
		{"XrootD/vunknown", "/dir/new", -1, plugins.Unsupported},
		{"Apache", "/none/new", -1, 0},
		{"", "/none/new", -1, 0},
	} {
		s := &shelf{files: map[string]string{"f": file}, software: c.software, answer: http.StatusCreated}
		_, err := serve(t, s.ServeHTTP).Store(t.Context(), c.path, io.MultiReader(strings.NewReader("abc")), plugins.Upload{Size: c.size})
		wantKind(t, err, c.want)
		if stored := len(s.asked) > 0; stored != (c.want == 0) {
			t.Errorf("%q: asked %v", c.software, s.asked)
		}
	}
}

// TestAtomic: what real servers show of an upload that broke off, which is why
// `atomic` is as it is documented.
func TestAtomic(t *testing.T) {
	for name, c := range map[string]struct {
		server func(testing.TB, string, ...rig.Option) *rig.Server
		atomic bool
	}{
		"Apache": {rig.Apache, true}, "nginx": {rig.Nginx, true}, "rclone": {rig.Rclone, false}, "XRootD": {rig.XRootD, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := c.server(t, rig.TempDir(t))
			e := open(t, &Config{Config: webclient.Config{URL: s.URL()}, Atomic: c.atomic}, plugins.Env{Timeout: time.Minute})
			if e.Atomic() != c.atomic {
				t.Fatal("the configuration does not count")
			}
			const sent = 3 << 20
			var during plugins.Entry
			content := io.MultiReader(strings.NewReader(strings.Repeat("x", sent)), once(func() error {
				var err error
				// What has been sent may still be on its way.
				for range 500 {
					if during, err = e.Stat(t.Context(), "/f"); err == nil || c.atomic {
						break
					}
				}
				return err
			}), iotest.ErrReader(io.ErrClosedPipe))
			_, err := e.Store(t.Context(), "/f", content, plugins.Upload{Size: 2 * sent})
			wantKind(t, err, plugins.Invalid)
			if visible := during.Kind != 0; visible == c.atomic {
				t.Errorf("while it was sent: %+v", during)
			}
			if after, err := e.Stat(t.Context(), "/f"); (err == nil) == c.atomic {
				t.Errorf("after it broke off: %+v, %v", after, err)
			}
		})
	}
}

// once is a reader without bytes that has something done when it is reached.
type once func() error

func (o once) Read([]byte) (int, error) {
	// What it found is judged by the test.
	_ = o()
	return 0, io.EOF
}
