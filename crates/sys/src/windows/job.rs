//! Job objects: processes that are held together with all their descendants.
//!
//! Source: <https://learn.microsoft.com/windows/win32/procthread/job-objects>.

use std::io;
use std::os::windows::io::{AsRawHandle, BorrowedHandle, FromRawHandle, OwnedHandle};
use std::ptr::{null, null_mut};
use std::time::Duration;

use windows_sys::Win32::Foundation::ERROR_MORE_DATA;
use windows_sys::Win32::System::JobObjects::{
    AssignProcessToJobObject, CreateJobObjectW, IsProcessInJob, JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE,
    JOBOBJECT_BASIC_ACCOUNTING_INFORMATION, JOBOBJECT_EXTENDED_LIMIT_INFORMATION,
    JobObjectBasicAccountingInformation, JobObjectBasicProcessIdList,
    JobObjectExtendedLimitInformation, QueryInformationJobObject, SetInformationJobObject,
    TerminateJobObject,
};

use crate::{Error, Result};

/// A job that is killed when its last handle is closed, which the system does when this process ends, however it ends.
///
/// Its processes cannot leave it, and what they start is in it too.
#[derive(Debug)]
pub(crate) struct Job(OwnedHandle);

impl Job {
    pub(crate) fn new() -> Result<Self> {
        // SAFETY: null means no name and a handle that is not inherited; it is checked before it is owned.
        let job = unsafe {
            let job = CreateJobObjectW(null(), null());
            if job.is_null() {
                return Err(failed("CreateJobObjectW"));
            }
            Self(OwnedHandle::from_raw_handle(job))
        };
        job.limit(JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE)?;
        Ok(job)
    }

    /// From now on its processes live on when its last handle is closed.
    pub(crate) fn release(&self) -> Result<()> {
        self.limit(0)
    }

    fn limit(&self, flags: u32) -> Result<()> {
        let mut limits = JOBOBJECT_EXTENDED_LIMIT_INFORMATION::default();
        limits.BasicLimitInformation.LimitFlags = flags;
        // SAFETY: the job is open, and the limits are the structure of this class and of the size said.
        let result = unsafe {
            SetInformationJobObject(
                self.0.as_raw_handle(),
                JobObjectExtendedLimitInformation,
                (&raw const limits).cast(),
                size_of_val(&limits) as u32,
            )
        };
        checked("SetInformationJobObject", result)
    }

    pub(crate) fn assign(&self, process: BorrowedHandle<'_>) -> Result<()> {
        // SAFETY: both handles are open.
        let result =
            unsafe { AssignProcessToJobObject(self.0.as_raw_handle(), process.as_raw_handle()) };
        checked("AssignProcessToJobObject", result)
    }

    /// Whether the process is in it.
    pub(crate) fn contains(&self, process: BorrowedHandle<'_>) -> Result<bool> {
        let mut contains = 0;
        // SAFETY: both handles are open and the answer outlives the call.
        let result = unsafe {
            IsProcessInJob(
                process.as_raw_handle(),
                self.0.as_raw_handle(),
                &raw mut contains,
            )
        };
        checked("IsProcessInJob", result)?;
        Ok(contains != 0)
    }

    /// Ends every process of the job at once, with exit code 1.
    pub(crate) fn terminate(&self) -> Result<()> {
        // SAFETY: the job is open.
        let result = unsafe { TerminateJobObject(self.0.as_raw_handle(), 1) };
        checked("TerminateJobObject", result)
    }

    /// How many processes of the job have not ended.
    pub(crate) fn active(&self) -> Result<usize> {
        Ok(self.accounting()?.ActiveProcesses as usize)
    }

    /// The processor time of all its processes, those that have ended included.
    pub(crate) fn cpu_time(&self) -> Result<Duration> {
        let accounting = self.accounting()?;
        let ticks = accounting.TotalUserTime + accounting.TotalKernelTime;
        Ok(Duration::from_nanos(ticks.unsigned_abs() * 100))
    }

    fn accounting(&self) -> Result<JOBOBJECT_BASIC_ACCOUNTING_INFORMATION> {
        let mut accounting = JOBOBJECT_BASIC_ACCOUNTING_INFORMATION::default();
        // SAFETY: the job is open, and the buffer is the structure of this class and of the size said.
        let result = unsafe {
            QueryInformationJobObject(
                self.0.as_raw_handle(),
                JobObjectBasicAccountingInformation,
                (&raw mut accounting).cast(),
                size_of_val(&accounting) as u32,
                null_mut(),
            )
        };
        checked("QueryInformationJobObject", result)?;
        Ok(accounting)
    }

    /// The processes of the job that have not ended.
    pub(crate) fn pids(&self) -> Result<Vec<u32>> {
        /// Words in front of the list: two 32-bit numbers, of which the second counts the listed processes.
        const HEADER: usize = 8 / size_of::<usize>();
        let mut room = 64;
        loop {
            let mut words = vec![0_usize; HEADER + room];
            // SAFETY: the job is open and the buffer has the size said; it is aligned for the structure of this class,
            // JOBOBJECT_BASIC_PROCESS_ID_LIST.
            let result = unsafe {
                QueryInformationJobObject(
                    self.0.as_raw_handle(),
                    JobObjectBasicProcessIdList,
                    words.as_mut_ptr().cast(),
                    size_of_val(words.as_slice()) as u32,
                    null_mut(),
                )
            };
            if result != 0 {
                // SAFETY: the header is two 32-bit numbers, and the buffer is longer.
                let listed = unsafe { *words.as_ptr().cast::<u32>().add(1) } as usize;
                let pids = words.iter().skip(HEADER).take(listed);
                return Ok(pids.map(|pid| *pid as u32).collect());
            }
            if super::last_error() != ERROR_MORE_DATA {
                return Err(failed("QueryInformationJobObject"));
            }
            room *= 2;
        }
    }
}

fn failed(call: &str) -> Error {
    Error::os(call, io::Error::last_os_error())
}

fn checked(call: &str, result: i32) -> Result<()> {
    match result {
        0 => Err(failed(call)),
        _ => Ok(()),
    }
}
