package web

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

//go:embed static
var static embed.FS

// StaticPath is the URL path below which the pages expect the static files.
const StaticPath = "/-/static/"

// AssetCacheControl is the Cache-Control of every static file: its name
// changes with its content, so a copy never goes out of date.
const AssetCacheControl = "public, max-age=31536000, immutable"

type asset struct {
	content     []byte
	contentType string
}

// Asset returns the static file that the pages refer to as StaticPath plus
// name, where name holds a hash of the content. The content must not be
// changed; it is the same on every call, so an ETag is not needed.
func (p *Pages) Asset(name string) (content []byte, contentType string, ok bool) {
	a, ok := p.assets[name]
	return a.content, a.contentType, ok
}

// loadAssets reads the embedded files. It returns them by hashed name, and
// the hashed name of each plain one.
func loadAssets() (map[string]asset, map[string]string, error) {
	entries, err := fs.ReadDir(static, "static")
	if err != nil {
		return nil, nil, fmt.Errorf("static files: %w", err)
	}
	assets := make(map[string]asset, len(entries))
	names := make(map[string]string, len(entries))
	for _, e := range entries {
		content, err := fs.ReadFile(static, "static/"+e.Name())
		if err != nil {
			return nil, nil, fmt.Errorf("static files: %w", err)
		}
		ext := path.Ext(e.Name())
		kind, err := contentType(ext)
		if err != nil {
			return nil, nil, fmt.Errorf("static file %s: %w", e.Name(), err)
		}
		sum := sha256.Sum256(content)
		hashed := strings.TrimSuffix(e.Name(), ext) + "." + hex.EncodeToString(sum[:6]) + ext
		assets[hashed] = asset{content, kind}
		names[e.Name()] = hashed
	}
	return assets, names, nil
}

// contentType is written out because package mime asks the machine's tables,
// and a style sheet of the wrong type is refused under nosniff.
func contentType(ext string) (string, error) {
	switch ext {
	case ".css":
		return "text/css; charset=utf-8", nil
	case ".js":
		return "text/javascript; charset=utf-8", nil
	case ".svg":
		return "image/svg+xml", nil
	}
	return "", fmt.Errorf("no media type for %q", ext)
}
