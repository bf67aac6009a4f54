//! The run directory under `RestrictSUIDSGID=`, which the systemd unit sets.

use super::*;
use libc::{BPF_ABS, BPF_ALU, BPF_AND, BPF_JEQ, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_W};

/// Makes each call of this thread fail that asks for the bits set-user-ID or set-group-ID, as
/// systemd does it.
fn forbid_set_id() {
    let step =
        |code: u32, jt: u8, jf: u8, k: u32| libc::sock_filter { code: code as u16, jt, jf, k };
    // Of `struct seccomp_data`: the call's number, and the lower half of an argument.
    let number = step(BPF_LD | BPF_W | BPF_ABS, 0, 0, 0);
    let argument = |index: u32| step(BPF_LD | BPF_W | BPF_ABS, 0, 0, 16 + 8 * index);
    let allow = step(BPF_RET | BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW);
    let refuse = step(BPF_RET | BPF_K, 0, 0, libc::SECCOMP_RET_ERRNO | libc::EPERM as u32);
    let mut calls = vec![
        (libc::SYS_fchmod, 1),
        (libc::SYS_mkdirat, 2),
        (libc::SYS_fchmodat, 2),
        (libc::SYS_openat, 3),
    ];
    #[cfg(target_arch = "x86_64")]
    calls.extend([(libc::SYS_mkdir, 1), (libc::SYS_chmod, 1)]);
    let mut program = Vec::new();
    for (call, mode) in calls {
        program.extend([
            number,
            step(BPF_JMP | BPF_JEQ | BPF_K, 0, 4, call as u32),
            argument(mode),
            step(BPF_ALU | BPF_AND | BPF_K, 0, 0, libc::S_ISUID | libc::S_ISGID),
            step(BPF_JMP | BPF_JEQ | BPF_K, 1, 0, 0),
            refuse,
        ]);
    }
    program.push(allow);
    let filter = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    // SAFETY: neither call touches memory of this process, but for the program, which is complete
    // and outlives the call.
    unsafe {
        assert_eq!(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
        let mode = libc::SECCOMP_MODE_FILTER;
        assert_eq!(libc::prctl(libc::PR_SET_SECCOMP, mode, &raw const filter), 0);
    }
}

#[test]
fn it_opens_where_set_id_bits_are_forbidden() {
    let temp = tempfile::tempdir().unwrap();
    let (new, there) = (temp.path().join("new"), temp.path().join("there"));
    DirBuilder::new().mode(0o750).create(&there).unwrap();
    // The filter is this thread's alone, and goes with it.
    std::thread::scope(|scope| {
        scope.spawn(|| {
            forbid_set_id();
            let refused = DirBuilder::new().mode(0o2770).create(temp.path().join("x"));
            assert_eq!(refused.unwrap_err().raw_os_error(), Some(libc::EPERM));
            for path in [&new, &there] {
                let (_socket, stale) = RunDir::open(path, None).unwrap().listen().unwrap();
                assert!(!stale);
            }
        });
    });
    let mode = |path| std::fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode(&new), mode(&there)), (0o770, 0o750));
}
