package limit_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"canopy/plugins"
	"canopy/plugins/limit"
	"canopy/plugins/plugintest"
	"canopy/plugins/plugintest/mem"
)

// TestConformance: within limits tight enough that the suite's crowds queue,
// an endpoint behaves as without them.
func TestConformance(t *testing.T) {
	var storage *mem.Endpoint
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := storage.Open(r.Context(), r.URL.Path, plugins.Whole)
		if err != nil {
			http.Error(w, err.Error(), http.StatusNotFound)
			return
		}
		defer body.Close()
		io.Copy(w, body)
	}))
	defer server.Close()
	storage = mem.New(server.URL, nil)
	storage.SetSpace(plugins.Space{Used: 1, Free: 1 << 40})
	plugintest.Run(t, plugintest.Subject{
		Writable: true,
		Open: func(testing.TB, plugins.Env) plugins.Endpoint {
			return limit.New(storage, limit.Config{Requests: 2, Queue: 64, Timeout: time.Minute})
		},
		Seed: func(_ testing.TB, nodes []plugintest.Node) {
			for _, n := range nodes {
				if n.Directory {
					storage.Mkdir(n.Path)
				} else {
					storage.Put(n.Path, mem.File{Content: n.Content, ModTime: n.ModTime})
				}
			}
		},
	})
}
